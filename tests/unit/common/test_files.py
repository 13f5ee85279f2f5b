from pathlib import Path

import pytest

from common.files import RESULT_FILES, NoResultError, StepMissingError, noted_in, read_result, write_json


def test_written_json_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"key": [1, 2]})

    assert read_result(tmp_path, "run", {"key"}) == {"key": [1, 2]}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("content", [None, "not JSON"], ids=["missing", "broken"])
def test_error_names_the_target_that_writes_a_missing_or_broken_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "dev" / "run.json"
    path.parent.mkdir()
    if content:
        path.write_text(content)

    with pytest.raises(StepMissingError, match="make run ENV=dev"):
        read_result(path.parent, "run", ())


def test_a_command_without_a_result_replaces_the_earlier_one_by_the_reason(tmp_path: Path) -> None:
    # GIVEN
    path = tmp_path / RESULT_FILES["monitor"]
    write_json(path, {"records": 5})

    # WHEN
    with pytest.raises(NoResultError), noted_in(path):
        raise NoResultError("no captured records")

    # THEN
    with pytest.raises(NoResultError, match=r"^no captured records$"):
        read_result(tmp_path, "monitor", {"records"})


def test_an_error_of_another_kind_keeps_the_earlier_result(tmp_path: Path) -> None:
    # GIVEN
    path = tmp_path / RESULT_FILES["monitor"]
    write_json(path, {"records": 5})

    # WHEN
    with pytest.raises(StepMissingError), noted_in(path):
        raise StepMissingError("no model")

    # THEN
    assert read_result(tmp_path, "monitor", {"records"}) == {"records": 5}
