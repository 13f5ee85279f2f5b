"""Zip a function's folder: `python -m scripts.package FOLDER ARCHIVE`.

The same sources give the same bytes on every machine: members sorted, one date, one mode, and stored, not
deflated, since zlib's output differs from build to build. So a clean checkout plans no change.
"""

import sys
import zipfile
from pathlib import Path

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold


def package(folder: Path, archive: Path) -> None:
    """Write every Python source below `folder` to `archive`, all of it or nothing."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as target:
        for path in sorted(folder.rglob("*.py")):
            member = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EARLIEST)
            member.external_attr = 0o644 << 16
            member.create_system = 3  # Unix, wherever this runs
            target.writestr(member, path.read_bytes())
    partial.replace(archive)


if __name__ == "__main__":
    package(Path(sys.argv[1]), Path(sys.argv[2]))
