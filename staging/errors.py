"""The root of what this package raises: one clear line each, for the operator to read."""


class StagingError(Exception):
    """Staging cannot go on; the message is one line that says why and what to do."""
