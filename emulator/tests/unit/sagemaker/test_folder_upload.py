"""Uploads of container folders while the container changes them."""

import threading
from pathlib import Path

import pytest

from sagelocal.services.sagemaker import folder_upload
from sagelocal.services.sagemaker.folder_upload import FolderUpload


class FakeS3:
    """Stores the keys of uploaded objects."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.uploaded = threading.Event()

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.keys.append(Key)
        self.uploaded.set()


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_background_upload_continues_after_a_scan_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[OSError]
) -> None:
    # GIVEN a folder whose first two scans fail, as if the container deleted a sub-folder during the scan
    (tmp_path / "a").write_text("1")
    failures = [error("sub-folder"), error("sub-folder")]
    original = Path.rglob

    def rglob(path: Path, pattern: str) -> object:
        if failures:
            raise failures.pop()
        return original(path, pattern)

    monkeypatch.setattr(Path, "rglob", rglob)
    monkeypatch.setattr(folder_upload, "INTERVAL", 0.01)
    s3 = FakeS3()
    upload = FolderUpload(s3, [tmp_path], "s3://bucket/prefix")

    # WHEN
    upload.start()

    # THEN a later scan uploads the file, and the repeated error is printed once
    assert s3.uploaded.wait(5)
    upload.close()
    assert s3.keys == ["prefix/a"]
    assert capsys.readouterr().err.count("will be retried") == 1
