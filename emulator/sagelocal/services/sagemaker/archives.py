"""The archives that SageMaker makes and takes: `tar.gz`, a folder's contents at its top."""

import io
import tarfile
from pathlib import Path
from typing import BinaryIO


class ArchiveError(Exception):
    """It is no archive, or one that would write outside its folder."""


def pack(*folders: Path) -> bytes:
    """The contents of folders as one `tar.gz`; of files that several have, the first's."""
    files = {path.relative_to(folder).as_posix(): path for folder in reversed(folders) for path in folder.rglob("*")}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as archive:
        for name, path in sorted(files.items()):
            archive.add(path, name, recursive=False)
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
