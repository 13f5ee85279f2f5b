"""The error for invalid input of a training job."""


class InputError(Exception):
    """A hyperparameter or the training data is invalid; the message becomes the job's failure reason."""
