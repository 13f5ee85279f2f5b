"""Before a command, the Makefile detects a renamed clone, and deletes files about resources of an ended emulator."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory with the files that make reads."""
    shutil.copy2(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "terraform" / "environments", tmp_path / "terraform" / "environments")
    (tmp_path / ".venv").mkdir()
    return tmp_path


def make(clone: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *arguments], cwd=clone, capture_output=True, text=True)


@pytest.mark.parametrize("created", ["", "/elsewhere/.venv"], ids=["in place", "renamed"])
def test_make_fails_only_in_a_renamed_clone(clone: Path, created: str) -> None:
    # GIVEN
    path = created or clone / ".venv"
    (clone / ".venv" / "pyvenv.cfg").write_text(f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv {path}\n")

    # WHEN
    result = make(clone, "help")

    # THEN
    assert (result.returncode == 0) is not bool(created), result.stderr
    if created:
        assert ".venv was created as /elsewhere/.venv, so this clone was renamed or copied: run" in result.stderr


def test_clean_start_deletes_every_file_that_names_resources_of_the_emulator(clone: Path) -> None:
    # WHEN
    command = make(clone, "-n", "-o", ".venv/.installed", "emulator").stdout

    # THEN
    deleted = command.partition("--invalidate")[2].split()
    for root in ("terraform", "terraform/bootstrap"):
        for name in ("terraform.tfstate.d/local", "local.s3.tfbackend", "backend.tf", ".terraform/local"):
            assert f"{root}/{name}" in deleted
    assert not any("dev" in path for path in deleted)
