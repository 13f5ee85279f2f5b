"""The error that the job's owner can fix."""


class InputError(Exception):
    """A hyperparameter or the training data is invalid; the message becomes the job's failure reason."""
