"""A Terraform state file in the root module's directory, which may be incomplete after Terraform was killed."""

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LocalState:
    """The state file of a workspace."""

    path: Path

    @classmethod
    def of(cls, directory: Path) -> "LocalState":
        """Return the state of the current workspace, which TF_WORKSPACE or `terraform workspace select` selects.

        Parameters
        ----------
        directory : directory of the root module
        """
        selected = directory / ".terraform" / "environment"
        workspace = os.environ.get("TF_WORKSPACE") or (selected.read_text() if selected.is_file() else "default")
        parent = directory if workspace == "default" else directory / "terraform.tfstate.d" / workspace
        return cls(parent / "terraform.tfstate")

    @property
    def backup(self) -> "LocalState":
        """The copy of the state that Terraform makes before a command changes the state for the first time."""
        return LocalState(self.path.with_name(f"{self.path.name}.backup"))

    def read(self) -> dict[str, Any]:
        """Return the parsed content of the state file."""
        content: dict[str, Any] = json.loads(self.path.read_text())
        return content

    def is_complete(self) -> bool:
        """Return whether the file does not exist or contains a whole state."""
        try:
            return not self.path.exists() or bool(self.read())
        except ValueError:
            return False

    def is_in_use(self) -> bool:
        """Return whether a running Terraform process has locked the file."""
        with self.path.open("r+") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def restore(self) -> None:
        """Replace an incomplete state with Terraform's backup, or delete it if there is no complete backup.

        Terraform writes the state file in place, so a killed process may leave it incomplete. Without a backup, there
        was no earlier state. The next plan imports the existing resources that the restored state does not contain.
        """
        if self.is_complete() or self.is_in_use():
            return
        incomplete = f"{self.path} is incomplete, because Terraform was killed"
        if self.backup.path.exists() and self.backup.is_complete():
            print(f"{incomplete}: restoring it from {self.backup.path.name}")
            shutil.copy2(self.backup.path, self.path)
        else:
            print(f"{incomplete}, and has no complete backup: deleting it")
            self.path.unlink()

    def put_aside(self) -> None:
        """Rename the file, so that Terraform does not use it again."""
        self.path.rename(self.path.with_name(f"{self.path.name}.moved"))
