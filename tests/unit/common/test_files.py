from pathlib import Path

import pytest

from common.files import StepMissingError, read_json, write_json


def test_written_json_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "some.json", {"key": [1, 2]})

    assert read_json(tmp_path / "some.json", "run") == {"key": [1, 2]}
    assert [path.name for path in tmp_path.iterdir()] == ["some.json"]


@pytest.mark.parametrize("content", [None, "not JSON"], ids=["missing", "broken"])
def test_error_names_the_target_that_writes_a_missing_or_broken_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "dev" / "some.json"
    path.parent.mkdir()
    if content:
        path.write_text(content)

    with pytest.raises(StepMissingError, match="make run ENV=dev"):
        read_json(path, "run")
