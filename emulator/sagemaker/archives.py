"""The archives that SageMaker makes and takes: `tar.gz`, a folder's contents at its top."""

import io
import tarfile
from pathlib import Path
from typing import BinaryIO


class ArchiveError(Exception):
    """It is no archive, or one that would write outside its folder."""


def pack(folder: Path) -> bytes:
    """A folder's contents as `tar.gz`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return stream.getvalue()


def unpack(stream: BinaryIO, folder: Path) -> None:
    """Unpack a `tar`, compressed in any way; links and names that lead outside are refused.

    Raises
    ------
    ArchiveError
        It is no archive, is cut short, or a member leads outside.
    """
    try:
        with tarfile.open(fileobj=stream) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveError(f"the archive cannot be unpacked: {error}") from error
