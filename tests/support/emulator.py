"""Start the emulator as a separate process."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.support.project import ROOT

MODEL_SERVER = "tests/model-server:1"


@dataclass(frozen=True)
class Emulator:
    """A running emulator, which contains one AWS account.

    Attributes
    ----------
    url : endpoint URL of all AWS APIs
    process : process in which the emulator runs
    """

    url: str
    process: "subprocess.Popen[str]" = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point AWS SDKs and Terraform to this emulator."""
        return environment_of(self.url)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Return a boto3 client for a service of this emulator; the client does not retry requests."""
        return make_client(self.url, service, region)

    def select(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Point AWS SDKs and Terraform to this emulator."""
        monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def stop(self) -> None:
        """Stop the emulator's process."""
        self.process.terminate()
        self.process.wait(timeout=30)


def environment_of(url: str) -> dict[str, str]:
    """Return the environment variables that point AWS SDKs and Terraform to the emulator at `url`."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        # some SDK operations add a prefix to the host name, but a loopback address cannot have a prefix
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }


@cache
def make_client(url: str, service: str, region: str) -> Any:
    """Return a boto3 client for a service of the emulator at `url`; the client does not retry requests."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(inject_host_prefix=False, read_timeout=60, retries={"total_max_attempts": 1}),
    )


def start_emulator(directory: Path) -> Emulator:
    """Start an emulator with an empty account, and write its log to `emulator.log` in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    images = json.loads((ROOT / "terraform/environments/local.images.json").read_text())
    images[MODEL_SERVER] = {"serve": ["{python}", str(Path(__file__).with_name("model_server.py"))]}
    images_file = directory / "images.json"
    images_file.write_text(json.dumps(images))
    log = directory / "emulator.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "sagelocal", "serve", "--images", str(images_file)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://127.0.0.1:" in line, log.read_text()
    return Emulator(line.split()[-1], process)
