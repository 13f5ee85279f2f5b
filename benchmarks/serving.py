"""A model behind the stand-in for AWS's PyTorch inference image, and behind InvokeEndpoint: how fast, how large."""

import importlib.util
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3

from benchmarks.load import Load, LoadError, ask

ROOT = Path(__file__).resolve().parents[1]
CONTAINER = ROOT / "training" / "container"
EAGER = Path(__file__).with_name("eager.py")
IMAGES = ROOT / "terraform" / "environments" / "local.images.json"
CLIENTS = (1, 4, 16)
REGION = "us-east-1"
START_SECONDS = 60.0
# InvokeEndpoint as a client signs it; the emulator reads the key and the region, and checks no signature
SIGNED = f"AWS4-HMAC-SHA256 Credential=test/20250101/{REGION}/sagemaker/aws4_request, SignedHeaders=host, Signature=0"


class Server:
    """What AWS's PyTorch inference image does with a model folder, in this process."""

    def __init__(self, model: Path) -> None:
        sys.path.insert(0, str(model / "code"))
        try:
            self._code = _load(model / "code" / "inference.py")
        finally:
            sys.path.remove(str(model / "code"))
        self._model = self._code.model_fn(str(model))

    def answer(self, body: bytes, content_type: str = "image/png") -> list[float]:
        """Probabilities, one a class."""
        answer, _ = self._code.transform_fn(self._model, body, content_type, "application/json")
        probabilities: list[float] = json.loads(answer)
        return probabilities


@dataclass(frozen=True)
class Measured:
    """A server under load.

    Attributes
    ----------
    loads : one for each of CLIENTS
    megabytes : of memory that the model server's process holds afterwards
    """

    loads: tuple[Load, ...]
    megabytes: float


def serve(model: Path, body: bytes) -> Measured:
    """Ask the model server itself about one image."""
    with _model_server(model) as (process, url):
        loads = tuple(ask(f"{url}/invocations", body, {"Content-Type": "image/png"}, clients=n) for n in CLIENTS)
        return Measured(loads, _megabytes(process.pid))


def serve_eagerly(model: Path, body: bytes, folder: Path) -> Measured:
    """The same server, where the trained network is run by PyTorch itself."""
    lay_out_eager(model, folder)
    return serve(folder, body)


def lay_out_eager(model: Path, folder: Path) -> None:
    """Make a model's folder in which PyTorch runs the network."""
    code = folder / "code"
    code.mkdir(parents=True)
    shutil.copy(model / "model.json", folder)
    for path in CONTAINER.glob("*.py"):  # what makes the network needs its neighbours
        shutil.copy(path, code)
    shutil.copy(EAGER, code / "inference.py")


def invoke(model: Path, body: bytes) -> tuple[Load, ...]:
    """Ask through InvokeEndpoint of an emulator, with all of its data captured."""
    with emulator() as url:
        _deploy(url, model)
        headers = {"Content-Type": "image/png", "Authorization": SIGNED}
        return tuple(ask(f"{url}/endpoints/vehicles/invocations", body, headers, clients=n) for n in CLIENTS)


def _deploy(url: str, model: Path) -> None:
    s3, sagemaker = client(url, "s3"), client(url, "sagemaker")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(model, arcname=".")
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="model.tar.gz", Body=stream.getvalue())
    sagemaker.create_model(
        ModelName="vehicles",
        ExecutionRoleArn="arn:aws:iam::123456789012:role/serving",
        PrimaryContainer={"Image": "aws/pytorch-inference:1", "ModelDataUrl": "s3://models/model.tar.gz"},
    )
    variant = {"VariantName": "one", "ModelName": "vehicles", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(
        EndpointConfigName="vehicles",
        ProductionVariants=[variant],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://models/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        },
    )
    sagemaker.create_endpoint(EndpointName="vehicles", EndpointConfigName="vehicles")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="vehicles", WaiterConfig={"Delay": 1})


def client(url: str, service: str) -> Any:
    """A client of the emulator at `url`."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=REGION, endpoint_url=url, **keys)


@contextmanager
def emulator() -> "Iterator[str]":
    """A running emulator's address."""
    command = [sys.executable, "-m", "sagelocal", "serve", "--images", str(IMAGES)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]  # "sagelocal is ready at URL"
        finally:
            process.terminate()


@contextmanager
def _model_server(model: Path) -> "Iterator[tuple[subprocess.Popen[bytes], str]]":
    port = _free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_WAIT_POLICY": "PASSIVE",
        "SM_MODEL_DIR": str(model),
        "SAGEMAKER_BIND_TO_PORT": str(port),
    }
    command = [sys.executable, "-m", "sagelocal.containers.pytorch_inference", "serve"]
    with subprocess.Popen(command, cwd=model, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise LoadError("the server did not start: what it said stands above") from error
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _megabytes(pid: int) -> float:
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(answer.stdout) / 1024


def _load(path: Path) -> ModuleType:
    # another model's modules may be there by the same names
    for name in ("inference", "pictures"):
        sys.modules.pop(name, None)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by its name
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
