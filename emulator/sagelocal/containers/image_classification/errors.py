"""How a job of this algorithm fails."""


class CustomerError(Exception):
    """What the job was given cannot be trained on. AWS's log says `Customer Error`, its FailureReason `ClientError`."""


class LackingError(Exception):
    """AWS's image can do this, and its stand-in cannot."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the emulator's stand-in for image-classification has no {what}; AWS's image has")
