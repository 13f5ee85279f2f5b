"""The base class of errors that an operator can fix."""


class OperatorError(Exception):
    """An error that the operator can fix; the message says how."""
