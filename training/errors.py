"""The error of a training job that would fail."""

from common.errors import OperatorError


class TrainingRequestError(OperatorError):
    """The hyperparameters, the staged data or the instance type of a requested job are invalid."""
