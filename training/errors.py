"""The error for a training job that would fail, and is therefore not launched."""

from common.errors import OperatorError


class TrainingRequestError(OperatorError):
    """The hyperparameters, the staged data or the instance type of a requested job are invalid."""
