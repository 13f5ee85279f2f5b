"""The substitute for AWS's PyTorch inference container: its server process, model functions and error responses."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import sagelocal
from sagelocal.services.sagemaker.model_server import free_port

from ...waiting import eventually

PACKAGE = Path(sagelocal.__file__).parent
CODE = """
import json
import sibling

from sagemaker_inference.errors import GenericInferenceToolkitError

def model_fn(directory):
    return open(directory + "/model.txt").read()

def input_fn(body, content_type):
    if content_type == "image/gif":
        raise GenericInferenceToolkitError(415, "image/gif is not supported")
    if body == b"bad":
        raise ValueError("unknown vehicle")
    return [type(body).__name__, len(body)]

def predict_fn(data, model):
    if data[1] == 0:
        raise ZeroDivisionError("nothing to divide")
    return [*data, model, sibling.NAME]

def output_fn(prediction, accept):
    return json.dumps(prediction), accept
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an inference server that runs CODE. The server's log is in the model directory."""
    model = tmp_path_factory.mktemp("model")
    (model / "code").mkdir()
    (model / "code" / "inference.py").write_text(CODE)
    (model / "code" / "sibling.py").write_text("NAME = 'sibling'\n")
    (model / "model.txt").write_text("model")
    port = free_port()
    with (model / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sagelocal.containers.pytorch_inference", "serve"],
            cwd=model,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(PACKAGE.parent),
                "SM_MODEL_DIR": str(model),
                "SAGEMAKER_BIND_TO_PORT": str(port),
            },
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"

    def responds() -> bool:
        assert process.poll() is None, (model / "log").read_text()
        try:
            return requests.get(f"{url}/ping", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    eventually(responds)
    yield url
    process.terminate()
    process.wait(10)


def post(url: str, body: bytes, content_type: str = "image/png", **headers: str) -> requests.Response:
    """Send an inference request to the server."""
    return requests.post(f"{url}/invocations", body, headers={"Content-Type": content_type, **headers}, timeout=10)


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [("image/png", "bytes"), ("application/json", "str"), ("text/csv", "str")],
    ids=["image", "json", "csv"],
)
def test_model_functions_are_called_in_order(server: str, content_type: str, kind: str) -> None:
    # WHEN
    response = post(server, b"1234", content_type, Accept="application/json")
    # THEN
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert response.json() == [kind, 4, "model", "sibling"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"x", "image/gif", 415, "image/gif is not supported"),
        (b"bad", "image/png", 500, "unknown vehicle"),
        (b"", "image/png", 500, "nothing to divide"),
        (b"\xff", "application/json", 500, "decode"),
    ],
    ids=["toolkit error", "input_fn error", "predict_fn error", "invalid text"],
)
def test_error_response_has_status_and_reason(
    server: str, body: bytes, content_type: str, status: int, reason: str
) -> None:
    # WHEN
    response = post(server, body, content_type)
    # THEN
    assert response.status_code == status
    assert reason in response.text


def test_model_code_cannot_import_modules_next_to_sagelocal(tmp_path: Path) -> None:
    # GIVEN a module in the same folder as the package sagelocal
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "sagelocal").symlink_to(PACKAGE)
    (folder / "neighbor.py").write_text("")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text("import neighbor\n")
    # WHEN the server of a model that imports this module is started
    ended = subprocess.run(
        [sys.executable, "-m", "sagelocal.containers.pytorch_inference", "serve"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "SM_MODEL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    # THEN
    assert ended.returncode != 0
    assert "No module named 'neighbor'" in ended.stderr


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "needs code/inference.py with a model_fn"),
        ("def model_fn(d): ...\ndef input_fn(b, c): ...\ndef transform_fn(m, b, c, a): ...", "Cannot use transform_fn"),
    ],
)
def test_server_does_not_start_with_invalid_model_code(tmp_path: Path, code: str | None, reason: str) -> None:
    # GIVEN
    if code:
        (tmp_path / "code").mkdir()
        (tmp_path / "code" / "inference.py").write_text(code)
    # WHEN
    ended = subprocess.run(
        [sys.executable, "-m", "sagelocal.containers.pytorch_inference", "serve"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent), "SM_MODEL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    # THEN
    assert ended.returncode == 1
    assert reason in ended.stderr


def test_container_does_not_import_torch_moto_or_boto3() -> None:
    # WHEN
    program = "import sys, sagelocal.containers.pytorch_inference; print({'torch', 'moto', 'boto3'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    # THEN
    assert ended.stdout.strip() == "set()"
