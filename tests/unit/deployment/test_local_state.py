"""A local state file that a killed Terraform process left incomplete is restored."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.local_state import LocalState

COMPLETE = json.dumps({"version": 4, "serial": 2})


@pytest.mark.parametrize("content", ["", COMPLETE[:8]], ids=["empty", "cut off"])
def test_incomplete_state_is_replaced_by_its_backup(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    state = LocalState(tmp_path / "terraform.tfstate")
    state.path.write_text(content)
    state.backup.path.write_text(COMPLETE)

    # WHEN
    state.restore()

    # THEN
    assert state.read() == {"version": 4, "serial": 2}
    assert capsys.readouterr().out.endswith("Terraform was killed: restoring it from terraform.tfstate.backup\n")


def test_incomplete_state_without_a_backup_is_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a first apply that was killed
    state = LocalState(tmp_path / "terraform.tfstate")
    state.path.write_text("")

    # WHEN
    state.restore()

    # THEN
    assert state.is_complete()
    assert not state.path.exists()
    assert capsys.readouterr().out.endswith("Terraform was killed, and has no complete backup: deleting it\n")


def test_complete_state_is_kept(tmp_path: Path) -> None:
    # GIVEN
    state = LocalState(tmp_path / "terraform.tfstate")
    state.path.write_text(COMPLETE)
    state.backup.path.write_text("{}")

    # WHEN
    state.restore()

    # THEN
    assert state.path.read_text() == COMPLETE


def test_incomplete_state_is_kept_while_a_running_terraform_process_locks_it(tmp_path: Path) -> None:
    # GIVEN an incomplete state, and a process that locks the file as Terraform does
    state = LocalState(tmp_path / "terraform.tfstate")
    state.path.write_text("")
    code = "import fcntl, sys; file = open(sys.argv[1], 'r+'); fcntl.lockf(file, fcntl.LOCK_EX); print(); input()"
    holder = [sys.executable, "-u", "-c", code, str(state.path)]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        # WHEN
        state.restore()

        # THEN
        assert state.path.exists()
        process.communicate(b"\n")


def test_path_of_the_state_depends_on_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.delenv("TF_WORKSPACE", raising=False)
    assert LocalState.of(tmp_path).path == tmp_path / "terraform.tfstate"

    # WHEN
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "environment").write_text("dev")

    # THEN
    assert LocalState.of(tmp_path).path == tmp_path / "terraform.tfstate.d" / "dev" / "terraform.tfstate"

    # WHEN / THEN
    monkeypatch.setenv("TF_WORKSPACE", "local")
    assert LocalState.of(tmp_path).path == tmp_path / "terraform.tfstate.d" / "local" / "terraform.tfstate"
