"""Measure how fast a model is served: by the emulator's model server alone, and through InvokeEndpoint."""

import io
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
from typing import Any

import boto3

from benchmarks.load import Load, LoadError, measure_load

ROOT = Path(__file__).resolve().parents[1]
CONTAINER = ROOT / "training" / "container"
EAGER = Path(__file__).with_name("eager.py")
IMAGES = ROOT / "terraform" / "environments" / "local.images.json"
CLIENTS = (1, 4, 16)  # numbers of concurrent clients
REGION = "us-east-1"
START_SECONDS = 60.0  # time within which the model server must start
# The Authorization header of a signed request. The emulator reads the key and region, but ignores the signature.
SIGNED = f"AWS4-HMAC-SHA256 Credential=test/20250101/{REGION}/sagemaker/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True)
class ServerMeasurement:
    """The measurements of a model server.

    Attributes
    ----------
    loads : throughput and latency for each number of clients in CLIENTS
    mebibytes : resident memory of the server's process after the measurements
    """

    loads: tuple[Load, ...]
    mebibytes: float


def measure_server(model: Path, body: bytes) -> ServerMeasurement:
    """Measure the model server, called directly, with requests that contain the image `body`."""
    with _model_server(model) as (process, url):
        headers = {"Content-Type": "image/png"}
        loads = tuple(measure_load(f"{url}/invocations", body, headers, clients=n) for n in CLIENTS)
        return ServerMeasurement(loads, _mebibytes(process.pid))


def measure_eager_server(model: Path, body: bytes, folder: Path) -> ServerMeasurement:
    """Measure the model server with PyTorch in place of ONNX Runtime.

    Parameters
    ----------
    folder : new directory for the model that PyTorch runs
    """
    write_eager_model(model, folder)
    return measure_server(folder, body)


def write_eager_model(model: Path, folder: Path) -> None:
    """Write a copy of a model directory whose entry point runs the network with PyTorch."""
    code = folder / "code"
    shutil.copytree(CONTAINER / "classifier", code / "classifier", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(model / "model.json", folder)
    shutil.copy(EAGER, code / "inference.py")


def measure_endpoint(model: Path, body: bytes) -> tuple[Load, ...]:
    """Measure InvokeEndpoint on an emulator, with data capture of all requests."""
    with emulator() as url:
        _deploy(url, model)
        headers = {"Content-Type": "image/png", "Authorization": SIGNED}
        return tuple(measure_load(f"{url}/endpoints/vehicles/invocations", body, headers, clients=n) for n in CLIENTS)


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
    """Return a boto3 client for a service of the emulator at `url`."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=REGION, endpoint_url=url, **keys)


@contextmanager
def emulator() -> "Iterator[str]":
    """Run an emulator and yield its URL."""
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
        "OMP_WAIT_POLICY": "PASSIVE",
        "SM_MODEL_DIR": str(model),
        "SAGEMAKER_BIND_TO_PORT": str(port),
    }
    command = [sys.executable, "-m", "sagelocal.containers.pytorch_inference", "serve"]
    with subprocess.Popen(command, cwd=model, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for_port(process, port)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for_port(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise LoadError("the model server did not start; its error is printed above") from error
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _mebibytes(pid: int) -> float:
    result = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(result.stdout) / 1024  # ps prints KiB
