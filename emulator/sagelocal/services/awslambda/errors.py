"""What Lambda's Invoke answers where it does not get to run the function."""

from moto.awslambda.exceptions import LambdaClientError


class RequestTooLargeError(LambdaClientError):
    """The event is larger than Lambda takes."""

    code = 413

    def __init__(self, limit: int) -> None:
        super().__init__(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
        )


class RequestContentError(LambdaClientError):
    """The event is not JSON."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {reason}",
        )


class TooManyRequestsError(LambdaClientError):
    """The function's reserved concurrency is used up."""

    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class InvalidZipError(LambdaClientError):
    """The function's code cannot be unpacked."""

    def __init__(self, reason: str) -> None:
        super().__init__("InvalidZipFileException", reason)


class RuntimeMissingError(LambdaClientError):
    """The function is not Python in a zip."""

    code = 501

    def __init__(self, runtime: str) -> None:
        super().__init__("NotImplemented", f"the emulator runs Python functions from zips only, not {runtime}")
