"""Functions made for the tests, and their invocations."""

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
class Answer:
    """What Invoke answered."""

    status: int
    error: str | None
    payload: Any
    log: str
    version: str | None


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def make_zip(files: dict[str, str]) -> bytes:
    """A zip of files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def make_role(iam: Any) -> str:
    """A role that Lambda may take; its ARN."""
    name = unique("functions")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    return str(role["Role"]["Arn"])


def make_function(emulator: Any, source: str, *, region: str = "us-east-1", **options: Any) -> str:
    """A function of one module, whose handler is `main`; its name."""
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


def invoke(client: Any, name: str, event: Any = None, **options: Any) -> Answer:
    """Invoke a function and read all of the answer."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **options)
    payload = answer["Payload"].read()
    return Answer(
        answer["StatusCode"],
        answer.get("FunctionError"),
        json.loads(payload) if payload else None,
        base64.b64decode(answer.get("LogResult", "")).decode(),
        answer.get("ExecutedVersion"),
    )
