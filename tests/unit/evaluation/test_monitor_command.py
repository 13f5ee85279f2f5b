"""`make monitor` without a run, without staged images, and without data capture."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.files import write_json
from scripts.monitor import known_images, last_run, main
from tests.unit.evaluation.runs import make_run
from tests.unit.stacks import make_stack
from tests.unit.staging.fakes import FakeS3


def environment(directory: Path, **stack: Any) -> Any:
    """Return an environment whose bucket is empty."""
    return SimpleNamespace(
        name="local", stack=make_stack(**stack), directory=directory, client=lambda service: FakeS3()
    )


def test_live_traffic_can_be_monitored_without_staged_images(tmp_path: Path) -> None:
    assert known_images(environment(tmp_path)) == {}


def test_live_traffic_can_be_monitored_without_a_run(tmp_path: Path) -> None:
    assert last_run(environment(tmp_path)) is None
    write_json(tmp_path / "run.json", make_run([]))
    assert last_run(environment(tmp_path)) == make_run([])


def test_an_endpoint_without_data_capture_is_not_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    main(environment(tmp_path, data_capture_enabled=False))

    # THEN
    assert "captures no data" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
