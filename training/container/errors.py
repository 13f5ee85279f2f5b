"""Conditions that the person who launched the job can mend."""


class InputError(Exception):
    """A hyperparameter or the data is not as it must be; the message is the job's failure reason."""
