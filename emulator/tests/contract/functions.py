"""Lambda functions of the tests, and their invocation."""

import base64
import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Response:
    """The response of Invoke."""

    status: int
    error: str | None
    payload: Any
    log: str
    version: str | None


def unique(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def make_zip(files: dict[str, str]) -> bytes:
    """Return a zip file with files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def make_role(iam: Any) -> str:
    """Create a role that Lambda can assume, and return its ARN."""
    name = unique("functions")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    return str(role["Role"]["Arn"])


def make_function(emulator: Any, source: str, *, region: str = "us-east-1", **options: Any) -> str:
    """Create a function of one module with the handler `main`, and return its name."""
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
    """Invoke a function and read the response."""
    response = client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **options)
    payload = response["Payload"].read()
    return Response(
        response["StatusCode"],
        response.get("FunctionError"),
        json.loads(payload) if payload else None,
        base64.b64decode(response.get("LogResult", "")).decode(),
        response.get("ExecutedVersion"),
    )
