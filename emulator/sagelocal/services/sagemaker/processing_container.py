"""The folders and configuration files of a processing container.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html

Each host has its own folder. Because scripts contain paths below `/opt/ml`, a mount namespace mounts the folder at
`/opt/ml`. On a machine that does not allow mount namespaces, the path of the folder replaces `/opt/ml` in the entry
point, its arguments, the environment variables, the configuration files and the scripts among the inputs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagelocal.core import mounts
from sagelocal.services.sagemaker.container_paths import CONTAINER_ROOT, localize, localize_scripts

PROCESSING_ROOT = f"{CONTAINER_ROOT}/processing"


@dataclass(frozen=True)
class ProcessingContainer:
    """The folder of one host of a processing job, with the layout of `/opt/ml`.

    Attributes
    ----------
    number
        The host's number, starting at 1.
    hosts
        The names of all hosts: `algo-1`, ...
    isolated
        Whether a mount namespace mounts the host's folder at `/opt/ml`.
    """

    root: Path
    number: int
    hosts: tuple[str, ...]
    isolated: bool

    @classmethod
    def create(cls, root: Path, *, number: int, count: int, isolated: bool) -> "ProcessingContainer":
        """Create a host's folders.

        Parameters
        ----------
        root
            Folder to create, with the layout of `/opt/ml`.
        count
            Number of hosts.
        """
        container = cls(root, number, tuple(f"algo-{each + 1}" for each in range(count)), isolated)
        for folder in (root / "config", root / "output", root / "processing", container.working_directory):
            folder.mkdir(parents=True)
        return container

    @property
    def working_directory(self) -> Path:
        """The working directory of the container's command."""
        return self.root.parent / "work"

    def folder(self, local_path: str) -> Path:
        """Create and return the folder for the LocalPath of an input or output."""
        folder = self.root / Path(local_path).relative_to(CONTAINER_ROOT)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def configure(self, description: Mapping[str, Any]) -> None:
        """Write processingjobconfig.json and resourceconfig.json.

        Parameters
        ----------
        description
            Content of processingjobconfig.json.
        """
        hosts = {"current_host": self.hosts[self.number - 1], "hosts": list(self.hosts)}
        for name, content in (("processingjobconfig", description), ("resourceconfig", hosts)):
            (self.root / "config" / f"{name}.json").write_text(self.localize(json.dumps(content)))

    def message(self) -> bytes:
        """Return the content of `/opt/ml/output/message`, or empty bytes if there is no such file."""
        path = self.root / "output" / "message"
        return path.read_bytes() if path.is_file() else b""

    def localize(self, text: str) -> str:
        """Return a text in which `/opt/ml` is replaced with `root`, unless `root` is mounted at `/opt/ml`."""
        return text if self.isolated else localize(text, self.root)

    def localize_scripts(self) -> None:
        """Replace `/opt/ml` with `root` in the scripts among the inputs, unless `root` is mounted at `/opt/ml`."""
        if not self.isolated:
            localize_scripts(self.root / "processing", self.root)

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command in this container."""
        if not self.isolated:
            return list(command)
        scratch = self.root.parent / "opt"
        scratch.mkdir()
        return [*mounts.command_prefix(mounts.opt_with("ml", self.root, scratch)), "--", *command]
