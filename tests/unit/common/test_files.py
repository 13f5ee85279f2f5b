from pathlib import Path

import pytest

from common.files import StepMissingError, read_result, write_json


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
