"""Lambda functions for unit tests, and their invocation in a pool of execution environments."""

import hashlib
import io
import json
import zipfile

from sagelocal.services.awslambda.function import Archive, Function, Logging
from sagelocal.services.awslambda.pool import Pool

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def make_function(
    source: str = "import os\ndef main(event, context): return os.getpid()", *, log_format: str = "Text"
) -> Function:
    """Return a function with a Python module; by default the function returns its process ID.

    log_format : format of the function's log, `Text` or `JSON`
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("module.py", source)
    return Function(
        name="f",
        arn=ARN,
        version="$LATEST",
        region="us-east-1",
        handler="module.main",
        runtime="python3.12",
        memory=128,
        timeout=20,
        variables=(),
        code=Archive(hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue()),
        layers=(),
        logging=Logging("/aws/lambda/f", format=log_format),
    )


def run(pool: Pool, function: Function, event: object = None, *, reserved: int | None = None) -> object:
    """Invoke a function and return the decoded response; fail if the function fails.

    reserved : the function's reserved concurrency
    """
    result = pool.invoke(function, json.dumps(event).encode(), arn=function.arn, reserved=reserved)
    assert not result.failed, result.payload
    return json.loads(result.payload)
