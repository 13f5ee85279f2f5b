"""Errors that end a training job of this algorithm."""


class CustomerError(Exception):
    """The job's configuration or data is wrong: `Customer Error` in AWS's log, `ClientError` in the FailureReason."""


class UnsupportedError(Exception):
    """The job needs a feature of AWS's image that the emulator does not support."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"the emulator's image-classification does not support {feature}; AWS's image does")
