"""Copies of the project, in which the tests run make targets as users do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.project import copy_project

TIMEOUT = 900  # seconds for one run of make


@dataclass(frozen=True)
class Project:
    """A copy of the project."""

    path: Path

    def make(self, *arguments: str, succeeds: bool = True) -> str:
        """Run make, check whether it succeeds, and return its output."""
        result = subprocess.run(
            ["make", *arguments],
            cwd=self.path,
            env={**os.environ, "VENV": sys.prefix},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        output = result.stdout + result.stderr
        assert (result.returncode == 0) == succeeds, f"make {' '.join(arguments)}:\n{output[-6000:]}"
        return output

    def processes(self) -> list[str]:
        """Return the command lines of the processes that were started in this copy."""
        listing = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listing.splitlines() if str(self.path) in line]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A copy of the project, whose emulator is stopped after the test."""
    project = Project(copy_project(tmp_path / "project"))
    yield project
    project.make("clean")
