"""Errors that end a job or a deployment, or refuse a request."""


class HostingError(Exception):
    """A model cannot be served; the message is the FailureReason of the endpoint or transform job."""


class JobFailedError(Exception):
    """A training or transform job has failed; the message is its FailureReason."""


class InvalidRequestError(Exception):
    """A request contains an invalid value; the caller raises a ValidationException with the same message."""
