"""A Terraform state in the root module's directory, which a killed Terraform may leave incomplete."""

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LocalState:
    """The file of a workspace's state."""

    path: Path

    @classmethod
    def of(cls, directory: Path) -> "LocalState":
        """Return the state of the selected workspace of a root module."""
        selected = directory / ".terraform" / "environment"
        workspace = os.environ.get("TF_WORKSPACE") or (selected.read_text() if selected.is_file() else "default")
        parent = directory if workspace == "default" else directory / "terraform.tfstate.d" / workspace
        return cls(parent / "terraform.tfstate")

    @property
    def backup(self) -> "LocalState":
        """The copy that Terraform makes before its first change."""
        return LocalState(self.path.with_name(f"{self.path.name}.backup"))

    def read(self) -> dict[str, Any]:
        """Return the content, in the format of https://developer.hashicorp.com/terraform/internals/json-format."""
        content: dict[str, Any] = json.loads(self.path.read_text())
        return content

    def is_complete(self) -> bool:
        """Return whether the file is missing or has a state."""
        try:
            return not self.path.exists() or bool(self.read())
        except ValueError:
            return False

    def is_in_use(self) -> bool:
        """Return whether a Terraform holds the lock of the file."""
        with self.path.open("r+") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def restore(self) -> None:
        """Replace an incomplete state with Terraform's backup; without one there was no state before.

        Terraform writes the file in place. The next plan imports the resources that the backup lacks.
        """
        if self.is_complete() or self.is_in_use():
            return
        print(f"{self.path} is incomplete, because Terraform was killed: using the state before that")
        if self.backup.path.exists() and self.backup.is_complete():
            shutil.copy2(self.backup.path, self.path)
        else:
            self.path.unlink()

    def put_aside(self) -> None:
        """Rename the file, so that Terraform does not use it again."""
        self.path.rename(self.path.with_name(f"{self.path.name}.moved"))
