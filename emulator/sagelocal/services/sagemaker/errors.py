"""Exceptions of failed jobs, failed deployments and invalid requests."""


class HostingError(Exception):
    """A model cannot be served; the FailureReason of the endpoint or transform job contains the message."""


class JobFailedError(Exception):
    """A training, processing or transform job has failed; the message is the job's FailureReason."""


class InvalidRequestError(Exception):
    """A request contains an invalid value; the caller raises a ValidationException with the same message."""
