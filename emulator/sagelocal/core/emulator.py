"""What every emulated service is given: where the emulator answers, where it may write, how to call it."""

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sagelocal.core.container_commands import Images
from sagelocal.core.quotas import Quotas

Application = Callable[[dict[str, Any], Any], Any]  # WSGI


@dataclass
class Emulator:
    """One running emulator.

    Attributes
    ----------
    url
        Where all of AWS answers, `http://127.0.0.1:PORT`.
    directory
        Scratch space, removed at the stop.
    child_environment
        Variables that point AWS's SDKs in a child process at this emulator. They come on top of `os.environ`,
        which the emulator clears of the user's own AWS settings when it starts.
    images
        Which command stands in for which container image.
    quotas
        How many instances the account may use.
    routes
        What answers past moto, whose way through its web framework takes longer than a fast model: for each, the
        form of its method and path, as in `POST /endpoints/name/invocations`.
    """

    url: str
    directory: Path
    child_environment: dict[str, str]
    images: Images
    quotas: Quotas = field(default_factory=Quotas)
    routes: list[tuple[re.Pattern[str], Application]] = field(default_factory=list, repr=False)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _callbacks: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def client(self, service: str, region: str) -> Any:
        """The boto3 client of a service and region that asks this emulator: one for all threads."""
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = self._create_client(service, region)
            return self._clients[key]

    def _create_client(self, service: str, region: str) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=self.child_environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.child_environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                inject_host_prefix=False,
                max_pool_connections=64,
                read_timeout=900,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the emulator stops: the last one given is called first."""
        self._callbacks.append(callback)

    def stop(self) -> None:
        """End what runs and remove the scratch space."""
        while self._callbacks:
            self._callbacks.pop()()
        shutil.rmtree(self.directory, ignore_errors=True)
