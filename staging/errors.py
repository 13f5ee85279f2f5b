"""The base class of this package's errors."""

from common.errors import OperatorError


class StagingError(OperatorError):
    """The data set cannot be staged; the message is one line that says why and what to do."""
