"""Packs and unpacks `model.tar.gz`, `output.tar.gz` and other archives."""

import io
import lzma
import sys
import zlib
from pathlib import Path
from typing import BinaryIO

# tarfile has extraction filters since Python 3.11.4. Debian 12 has 3.11.2, so it needs the backport:
# https://docs.python.org/3.11/library/tarfile.html#extraction-filters
if sys.version_info >= (3, 11, 4):
    import tarfile
else:
    from backports import tarfile  # type: ignore[no-redef]


class ArchiveError(Exception):
    """The archive is invalid, or a member would be written outside the target folder."""


def pack(*folders: Path) -> bytes:
    """Pack the contents of folders into one `tar.gz`.

    If several folders contain a file with the same relative path, the file of the first of these folders is packed.
    """
    files = {path.relative_to(folder).as_posix(): path for folder in reversed(folders) for path in folder.rglob("*")}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as archive:
        for name, path in sorted(files.items()):
            archive.add(path, name, recursive=False)
    return stream.getvalue()


def unpack(stream: BinaryIO, folder: Path) -> None:
    """Unpack a tar archive into a folder; the archive may have any compression that tarfile supports.

    Raises
    ------
    ArchiveError
        If tarfile detects that the archive is invalid or incomplete, or the name or link of a member points outside
        the folder.
    """
    try:
        with tarfile.open(fileobj=stream) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise ArchiveError(f"the archive cannot be unpacked: {error}") from error
