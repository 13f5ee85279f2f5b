"""`make execution` shows an execution, and `make export` writes the state machine."""

# ruff: noqa: N803  boto3's argument names
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts import execution, export
from tests.unit.evaluation.histories import DEFINITION, MACHINE, FakeStates, failed_history, refusal
from tests.unit.stacks import make_stack


class FakeAws(FakeStates):
    """A Step Functions client with one state machine, and an S3 client without objects."""

    def get_object(self, **_: Any) -> dict[str, Any]:
        raise refusal("NoSuchKey")

    def describe_state_machine(self, *, stateMachineArn: str) -> dict[str, Any]:
        assert stateMachineArn == MACHINE
        return {"name": "scones-local-workflow", "definition": json.dumps(DEFINITION)}


def environment(directory: Path) -> Any:
    """Return a command's environment for a failed execution."""
    aws = FakeAws(failed_history(), error="ImageInvalidError", cause="some cause")
    return SimpleNamespace(
        name="local",
        options=SimpleNamespace(id=""),
        directory=directory,
        stack=make_stack(state_machine_arn=MACHINE),
        client=lambda service: aws,
    )


def test_latest_execution_is_printed_and_written_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    execution.main(environment(tmp_path))

    # THEN
    output = capsys.readouterr().out
    assert output.startswith("status      FAILED")
    assert output.endswith(f"{tmp_path / 'execution.html'}\n")
    assert "S3 responded with NoSuchKey" in (tmp_path / "execution.html").read_text()


def test_state_machine_is_exported_in_three_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    export.main(environment(tmp_path))

    # THEN
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in paths] == [f"scones-local-workflow{end}" for end in (".asl.json", ".svg", ".png")]
    definition, svg, png = (path.read_bytes() for path in paths)
    assert json.loads(definition) == DEFINITION
    assert definition.count(b"\n") > 20
    assert b"CountFailure" in svg
    assert png.startswith(b"\x89PNG")
