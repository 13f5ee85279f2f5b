"""The files in which commands write their results: reading, replacing and keeping them."""

from pathlib import Path

import pytest

from common.files import (
    RESULT_FILES,
    NoResultError,
    StepMissingError,
    explain_missing_result,
    read_result,
    replace_figures,
    write,
    write_json,
)


def test_written_result_can_be_read(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"key": [1, 2]})

    assert read_result(tmp_path, "run", {"key"}) == {"key": [1, 2]}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("content", [None, "not JSON"], ids=["missing", "invalid"])
def test_error_for_a_missing_or_invalid_file_names_the_make_target(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "dev" / "run.json"
    path.parent.mkdir()
    if content:
        path.write_text(content)

    with pytest.raises(StepMissingError, match="make run ENV=dev"):
        read_result(path.parent, "run", ())


def test_reason_for_a_missing_result_replaces_the_earlier_result(tmp_path: Path) -> None:
    # GIVEN the result of an earlier command
    write_json(tmp_path / RESULT_FILES["monitor"], {"records": 5})
    replace_figures(tmp_path, "monitor", {"confidence.png": b"earlier"})
    write(tmp_path / "drift.png", b"of another command")

    # WHEN a command ends without a result
    with pytest.raises(NoResultError), explain_missing_result(tmp_path, "monitor"):
        raise NoResultError("no captured records")

    # THEN the earlier figure is deleted too
    with pytest.raises(NoResultError, match=r"^no captured records$"):
        read_result(tmp_path, "monitor", {"records"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drift.png", "monitoring.json"]


def test_other_errors_keep_the_earlier_result(tmp_path: Path) -> None:
    # GIVEN the result of an earlier command
    path = tmp_path / RESULT_FILES["monitor"]
    write_json(path, {"records": 5})

    # WHEN a command fails because an earlier step is missing
    with pytest.raises(StepMissingError), explain_missing_result(tmp_path, "monitor"):
        raise StepMissingError("no model")

    # THEN
    assert read_result(tmp_path, "monitor", {"records"}) == {"records": 5}
