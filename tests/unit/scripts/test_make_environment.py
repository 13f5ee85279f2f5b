"""The Makefile detects that its clone was renamed, and deletes files about resources of an emulator that has ended."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory with the files that `make` reads."""
    shutil.copy2(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "terraform" / "environments", tmp_path / "terraform" / "environments")
    (tmp_path / ".venv").mkdir()
    return tmp_path


def make(clone: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run make in the clone."""
    return subprocess.run(["make", *arguments], cwd=clone, capture_output=True, text=True)


@pytest.mark.parametrize("created_as", ["", "/elsewhere/.venv"], ids=["in place", "renamed"])
def test_make_fails_only_in_a_renamed_clone(clone: Path, created_as: str) -> None:
    # GIVEN a virtual environment that was created in this clone, or under another path
    path = created_as or clone / ".venv"
    (clone / ".venv" / "pyvenv.cfg").write_text(f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv {path}\n")

    # WHEN
    result = make(clone, "help")

    # THEN
    assert (result.returncode == 0) is not bool(created_as), result.stderr
    if created_as:
        assert ".venv was created as /elsewhere/.venv, so this clone was renamed or copied: run" in result.stderr


def test_new_emulator_deletes_every_file_about_resources_of_the_previous_emulator(clone: Path) -> None:
    # WHEN make prints the command that starts the emulator
    command = make(clone, "-n", "-o", ".venv/.installed", "emulator").stdout

    # THEN
    deleted = command.partition("--invalidate")[2].split()
    for root in ("terraform", "terraform/bootstrap"):
        for name in ("terraform.tfstate.d/local", "local.s3.tfbackend", "backend.tf", ".terraform/local"):
            assert f"{root}/{name}" in deleted
    assert not any("dev" in path for path in deleted)
