"""Zip a function's directory: `python -m scripts.package DIRECTORY ARCHIVE`.

The archive of the same sources has the same bytes on every machine, so that Terraform plans no change of a function
whose code did not change. Therefore the files are sorted and have a fixed date and mode. They are not compressed,
because the output of zlib differs between its builds.
"""

import sys
import zipfile
from pathlib import Path

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first date that a zip archive can hold


def package(directory: Path, archive: Path) -> None:
    """Write every Python file below `directory` to `archive` atomically."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as target:
        for path in sorted(directory.rglob("*.py")):
            member = zipfile.ZipInfo(path.relative_to(directory).as_posix(), EARLIEST)
            member.external_attr = 0o644 << 16
            member.create_system = 3  # Unix, on every platform
            target.writestr(member, path.read_bytes())
    partial.replace(archive)


if __name__ == "__main__":
    package(Path(sys.argv[1]), Path(sys.argv[2]))
