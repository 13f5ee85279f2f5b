"""Fixtures that copy the project, so that tests can run make targets in the copy as operators do."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.emulator import environment_of
from tests.support.project import copy_project
from tests.support.terraform import make_terraform, running_provider

TIMEOUT = 900  # maximum number of seconds for one run of make


@dataclass(frozen=True)
class Project:
    """A copy of the project, and additional environment variables for make in this copy."""

    path: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def make(self, *arguments: str, succeeds: bool = True) -> str:
        """Run make, check that it succeeds, or fails if `succeeds` is False, and return make's output."""
        result = subprocess.run(
            ["make", *arguments],
            cwd=self.path,
            env={**os.environ, "VENV": sys.prefix, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        output = result.stdout + result.stderr
        assert (result.returncode == 0) == succeeds, f"make {' '.join(arguments)}:\n{output[-6000:]}"
        return output

    def processes(self) -> list[str]:
        """Return the command lines of the processes that were started in this project copy."""
        listing = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listing.splitlines() if str(self.path) in line]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A copy of the project, whose emulator is stopped after the test."""
    with copied_project(tmp_path) as project:
        yield project


@pytest.fixture(scope="module")
def fast_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project copy that a module's tests share, with an emulator and one provider process for all commands."""
    with copied_project(tmp_path_factory.mktemp("fast")) as project:
        project.make("emulator")
        make_terraform(project.path, "local").init()
        url = json.loads((project.path / "build/local/emulator/emulator.json").read_text())["url"]
        with running_provider(project.path / "terraform", environment_of(url)) as variables:
            yield Project(project.path, variables)


@contextlib.contextmanager
def copied_project(directory: Path) -> Iterator[Project]:
    """Copy the project, and stop the copy's emulator at the end of the context."""
    project = Project(copy_project(directory / "project"))
    try:
        yield project
    finally:
        project.make("clean")
