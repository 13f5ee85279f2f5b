"""Creates Lambda functions for the contract tests, and invokes them."""

import base64
import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Response:
    """The parts of the response of Lambda's Invoke operation that tests check.

    status  : HTTP status code
    error   : the value of `FunctionError`; None if the function succeeded
    payload : the decoded JSON body; None if the body is empty
    log     : the last 4 KB of the invocation's log
    version : the version of the function that ran
    """

    status: int
    error: str | None
    payload: Any
    log: str
    version: str | None


def unique(prefix: str) -> str:
    """Return `prefix` with a random suffix, so that no two tests use the same name."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def make_zip(files: dict[str, str]) -> bytes:
    """Return the bytes of a zip archive; `files` maps each file's name to its text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def make_role(iam: Any) -> str:
    """Create an IAM role that Lambda can assume, and return the role's ARN."""
    name = unique("functions")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_POLICY))
    return str(role["Role"]["Arn"])


def make_function(emulator: Any, source: str, *, region: str = "us-east-1", **options: Any) -> str:
    """Create a Lambda function from the Python code `source`, whose handler is `main`, and return the function's name.

    options : parameters of CreateFunction, which override the defaults
    """
    name = unique("function")
    request = {
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": make_role(emulator.client("iam")),
        "Handler": "module.main",
        "Code": {"ZipFile": make_zip({"module.py": source})},
        "Timeout": 20,
    }
    emulator.client("lambda", region).create_function(**{**request, **options})
    return name


def invoke(client: Any, name: str, event: Any = None, **options: Any) -> Response:
    """Invoke the Lambda function `name` with the JSON value `event`, and return the decoded response."""
    response = client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **options)
    payload = response["Payload"].read()
    return Response(
        response["StatusCode"],
        response.get("FunctionError"),
        json.loads(payload) if payload else None,
        base64.b64decode(response.get("LogResult", "")).decode(),
        response.get("ExecutedVersion"),
    )
