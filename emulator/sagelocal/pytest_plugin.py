"""The pytest plugin: the fixture `sagelocal` provides an emulator for the test session.

pytest imports this module in every session if sagelocal is installed. To keep this fast, the fixtures import other
modules only when a test uses them.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

Configuration = Mapping[str, Any] | Path | None


class RunningEmulator:
    """An emulator that runs in a child process.

    Parameters
    ----------
    directory
        Directory for the emulator's log and configuration files.
    images
        Commands by container image: a dictionary in the format of the images file, the path of such a file, or None.
    quotas
        Service quotas: a dictionary, the path of a quotas file, or None.

    Attributes
    ----------
    url
        Endpoint URL of all services.
    process
        The emulator's process, a `subprocess.Popen`.
    log
        Path of the emulator's log.
    """

    def __init__(self, directory: Path, *, images: Configuration = None, quotas: Configuration = None) -> None:
        from sagelocal.core import background

        files = {"images": images, "quotas": quotas}
        arguments = [
            part
            for name, configuration in files.items()
            if configuration is not None
            for part in (f"--{name}", str(_as_file(directory / f"{name}.json", configuration)))
        ]
        self.log = directory / "emulator.log"
        self.process = background.launch(self.log, arguments)
        self.url = background.await_url(self.process, self.log)
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for a child process whose AWS SDKs call the emulator."""
        from sagelocal.core.environment import child_environment

        return child_environment(os.environ, self.url)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Return a boto3 client for a service and region; the client does not retry requests."""
        import boto3
        from botocore.config import Config

        key = (service, region)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106 (the emulator does not check it)
                config=Config(inject_host_prefix=False, read_timeout=60, retries={"total_max_attempts": 1}),
            )
        return self._clients[key]

    def stop(self) -> int:
        """Stop the emulator and its child processes, and return the emulator's exit status."""
        self.process.terminate()
        return self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def sagelocal_images() -> Configuration:
    """Return None (no container image has a command); override this fixture to run training jobs and endpoints."""
    return None


@pytest.fixture(scope="session")
def sagelocal_quotas() -> Configuration:
    """Return None (all quotas are unlimited); override this fixture to limit the number of instances."""
    return None


@pytest.fixture(scope="session")
def sagelocal(
    tmp_path_factory: pytest.TempPathFactory, sagelocal_images: Configuration, sagelocal_quotas: Configuration
) -> Iterator[RunningEmulator]:
    """Start an emulator that all tests of the session share, and stop it at the end."""
    directory = tmp_path_factory.mktemp("sagelocal")
    emulator = RunningEmulator(directory, images=sagelocal_images, quotas=sagelocal_quotas)
    yield emulator
    emulator.stop()


def _as_file(path: Path, configuration: Mapping[str, Any] | Path) -> Path:
    if isinstance(configuration, Path):
        return configuration.absolute()
    path.write_text(json.dumps(configuration))
    return path
