"""Unpacks the zip files of functions and layers to disk. Archives with the same content are unpacked only once."""

import io
import lzma
import shutil
import stat
import tempfile
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from sagelocal.services.awslambda.errors import InvalidZipError
from sagelocal.services.awslambda.function import Archive

# Errors of zipfile, of its decompressors, and of a member that cannot be written
UNZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)
MAX_BYTES = 262_144_000  # AWS's limit on the unpacked size of a function and its layers


class Archives:
    """A directory with a subdirectory for each set of zip files that has been unpacked."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def path(self, *archives: Archive) -> Path:
        """Return the directory with the unpacked content of all `archives`, which are unpacked at the first call.

        If several archives contain the same path, the last archive's file is kept, as for layers on AWS.

        Raises
        ------
        InvalidZipError
            An archive is not a zip file or is damaged, is too large when unpacked, has a link or a member outside the
            directory, or contains a member that cannot be written.
        """
        digests = "-".join(archive.sha256.replace("/", "_") for archive in archives)  # AWS encodes digests in base64
        target = self._directory / (digests or "empty")
        with self._lock:
            if not target.exists():
                self._directory.mkdir(parents=True, exist_ok=True)
                part = Path(tempfile.mkdtemp(dir=self._directory))
                try:
                    for archive in archives:
                        _unpack(archive.content, part)
                    part.rename(target)
                finally:
                    shutil.rmtree(part, ignore_errors=True)
        return target


def _unpack(content: bytes, target: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            members = opened.infolist()
            size = sum(member.file_size for member in members)
            if size > MAX_BYTES:
                raise InvalidZipError(f"its content must not exceed {MAX_BYTES} bytes (got {size})")
            for member in members:
                _unpack_member(opened, member, target)
    except UNZIP_ERRORS as error:
        raise InvalidZipError(str(error)) from error


def _unpack_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    name = PurePosixPath(member.filename)
    mode = member.external_attr >> 16
    if name.is_absolute() or ".." in name.parts or stat.S_ISLNK(mode):
        raise InvalidZipError(f"{member.filename!r} is a link or is outside the archive: remove it")
    path = target / name
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, path.open("wb") as written:
        shutil.copyfileobj(source, written)  # zipfile reads no more than the declared size
    path.chmod((mode & 0o777) | 0o644)
