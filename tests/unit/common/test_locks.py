import os
from pathlib import Path

import pytest

from common.locks import LockedError, exclusive


def test_second_command_says_which_one_is_running(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    with exclusive(tmp_path / "lock", "make up ENV=dev", timeout=0):
        # WHEN / THEN
        message = (
            rf"`make up ENV=dev` has been running since .* UTC \(process {os.getpid()}\): wait .* `make down ENV=dev`"
        )
        with (
            pytest.raises(LockedError, match=message),
            exclusive(tmp_path / "lock", "make down ENV=dev", timeout=0.1),
        ):
            pass
    assert "waiting, because `make up ENV=dev` has been running" in capsys.readouterr().err


def test_lock_is_free_after_an_error(tmp_path: Path) -> None:
    # GIVEN
    with pytest.raises(KeyError), exclusive(tmp_path / "lock", "make up", timeout=0):
        raise KeyError

    # WHEN / THEN
    with exclusive(tmp_path / "lock", "make down", timeout=0):
        assert "`make down`" in (tmp_path / "lock").read_text()
