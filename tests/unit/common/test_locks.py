"""A lock lets only one command run at a time."""

import os
from pathlib import Path

import pytest

from common.locks import LockedError, exclusive


def test_error_of_a_second_command_names_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a running command
    with exclusive(tmp_path / "lock", "make up ENV=dev", timeout=0):
        # WHEN a second command waits 0.1 seconds / THEN
        message = (
            rf"`make up ENV=dev` has been running since .* UTC \(process {os.getpid()}\): wait .* `make down ENV=dev`"
        )
        with (
            pytest.raises(LockedError, match=message),
            exclusive(tmp_path / "lock", "make down ENV=dev", timeout=0.1),
        ):
            pass
    assert "waiting, because `make up ENV=dev` has been running" in capsys.readouterr().err


def test_lock_is_released_after_an_error(tmp_path: Path) -> None:
    # GIVEN a command that fails
    with pytest.raises(KeyError), exclusive(tmp_path / "lock", "make up", timeout=0):
        raise KeyError

    # WHEN / THEN
    with exclusive(tmp_path / "lock", "make down", timeout=0):
        assert "`make down`" in (tmp_path / "lock").read_text()
