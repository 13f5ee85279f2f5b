"""The zip archives of the Lambda functions are reproducible."""

import os
import zipfile
from pathlib import Path

from scripts.package import package


def test_archives_of_the_same_sources_have_the_same_bytes(tmp_path: Path) -> None:
    # GIVEN two copies of a function's source with different times and modes, one of which has a Python cache file
    for name, time, mode in (("one", 1_000_000_000, 0o600), ("two", 1_700_000_000, 0o755)):
        handler = tmp_path / name / "handler.py"
        handler.parent.mkdir()
        handler.write_text("def handler(event, context): return event\n")
        handler.chmod(mode)
        os.utime(handler, (time, time))
    (tmp_path / "two" / "__pycache__").mkdir()
    (tmp_path / "two" / "__pycache__" / "handler.pyc").write_bytes(b"cache")

    # WHEN
    package(tmp_path / "one", tmp_path / "one.zip")
    package(tmp_path / "two", tmp_path / "two.zip")

    # THEN
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "one.zip").namelist() == ["handler.py"]
