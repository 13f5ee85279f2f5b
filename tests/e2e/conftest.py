"""A copy of the project as a clone has it, in a folder of its own, with the tests' virtual environment."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 900  # seconds that one target may take before it counts as hanging


@dataclass(frozen=True)
class Project:
    """One copy, and the way to run its targets."""

    path: Path

    def make(self, *arguments: str, succeeds: bool = True) -> str:
        """What a target prints; it must end as expected."""
        answer = subprocess.run(
            ["make", *arguments],
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        output = answer.stdout + answer.stderr
        assert (answer.returncode == 0) == succeeds, f"make {' '.join(arguments)}:\n{output[-6000:]}"
        return output

    def environment(self) -> dict[str, str]:
        """The tests' own environment, with their Python in place of a `.venv`."""
        return {**os.environ, "VENV": str(Path(sys.prefix))}

    def processes(self) -> list[str]:
        """Command lines of the processes that know this copy."""
        listing = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listing.splitlines() if str(self.path) in line]


@pytest.fixture(scope="module")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Project]]:
    """Copies of the project by name; whatever still runs in them is taken down at the end."""
    made: list[Project] = []

    def make(name: str) -> Project:
        path = tmp_path_factory.mktemp(name)
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in listing.splitlines():
            source, target = ROOT / line, path / line
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        made.append(Project(path))
        return made[-1]

    yield make
    for project in made:
        project.make("clean")
