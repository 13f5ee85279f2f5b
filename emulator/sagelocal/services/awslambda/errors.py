"""Errors of the Invoke operation, with AWS's codes and messages."""

import json

from moto.awslambda.exceptions import LambdaClientError


class RequestTooLargeError(LambdaClientError):
    """The event exceeds Lambda's size limit."""

    code = 413

    def __init__(self, limit: int) -> None:
        super().__init__(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
        )


class RequestContentError(LambdaClientError):
    """The event is not valid JSON."""

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
        # Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (TooManyRequestsException)
        reason = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User"}
        self.description = json.dumps({**json.loads(self.description), **reason})


class InvalidZipError(LambdaClientError):
    """The function's code cannot be unpacked."""

    def __init__(self, reason: str) -> None:
        super().__init__("InvalidZipFileException", f"Lambda was not able to unzip the file: {reason}")


class UnsupportedRuntimeError(LambdaClientError):
    """The function is not a Python function in a zip file."""

    code = 501

    def __init__(self, runtime: str) -> None:
        super().__init__("NotImplemented", f"sagelocal runs only Python functions from zip files, not {runtime}")
