"""The first request to a service imports and installs the service."""

import json
import pkgutil
import subprocess
import sys
from typing import Any

import sagelocal.services
from sagelocal.core.install import SERVICES

HELPERS = {"tags"}  # modules of sagelocal.services that are not services

# A program that sends requests to a new emulator. It prints the responses, and the packages of moto that are imported
# before and after the requests.
FIRST_REQUESTS = """
import io, json, os, pathlib, sys, tempfile
os.environ["MOTO_PORT"] = "9"
from sagelocal.core.container_commands import Images
from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import PATCHES
from sagelocal.core.server import _application

def call(service, method, path, target="", body=b""):
    statuses = []
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "HTTP_HOST": "127.0.0.1:9",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "9", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/x-amz-json-1.0", "RAW_URI": path,
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/{service}/aws4_request, Signature=b",
        **({"HTTP_X_AMZ_TARGET": target} if target else {}),
    }
    content = b"".join(application(environ, lambda status, headers, *more: statuses.append(status)))
    return statuses[0], content.decode()

with tempfile.TemporaryDirectory() as directory:
    emulator = Emulator("http://127.0.0.1:9", pathlib.Path(directory), {}, Images())
    application = _application(emulator)
    steps = [sorted(name for name in sys.modules if name.count(".") == 1 and name.startswith("moto."))]
    invoked = call("sagemaker", "POST", "/endpoints/missing/invocations")
    call("states", "POST", "/", "AWSStepFunctions.ListStateMachines", b"{}")
    steps.append(sorted(name for name in sys.modules if name.count(".") == 1 and name.startswith("moto.")))
    before = len(PATCHES)
    call("states", "POST", "/", "AWSStepFunctions.ListStateMachines", b"{}")
    print(json.dumps({"steps": steps, "invoked": invoked, "repeated": len(PATCHES) - before}))
    sys.stdout.flush()
    emulator.stop()
    os._exit(0)
"""


def send_first_requests() -> Any:
    """Run FIRST_REQUESTS and return the printed JSON value."""
    ended = subprocess.run([sys.executable, "-c", FIRST_REQUESTS], capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def test_services_are_imported_at_their_first_request() -> None:
    # WHEN
    result = send_first_requests()
    # THEN the large packages are imported only by the requests, and no request imports EC2
    at_start, after_requests = map(set, result["steps"])
    assert not {"moto.ec2", "moto.sagemaker", "moto.stepfunctions"} & at_start
    assert {"moto.sagemaker", "moto.stepfunctions"} <= after_requests
    assert "moto.ec2" not in after_requests
    # AND InvokeEndpoint calls sagelocal's implementation, not moto's
    status, body = result["invoked"]
    assert status.startswith("400")
    assert "Endpoint missing of account" in body
    # AND the second request to a service installs nothing
    assert result["repeated"] == 0


def test_every_service_module_is_in_the_list_of_services() -> None:
    modules = {module.name for module in pkgutil.iter_modules(sagelocal.services.__path__)}
    assert set(SERVICES) == modules - HELPERS
