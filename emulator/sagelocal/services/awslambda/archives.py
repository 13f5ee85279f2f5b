"""Function code and layers on disk, unpacked once for each content."""

import io
import shutil
import stat
import tempfile
import threading
import zipfile
from pathlib import Path, PurePosixPath

from sagelocal.services.awslambda.function import Archive

MOST_BYTES = 262_144_000  # AWS's limit on a function and its layers, unpacked


class ArchiveError(Exception):
    """A zip that Lambda refuses to unpack."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Lambda was not able to unzip the file: {reason}")


class Archives:
    """A folder of unpacked zips."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def path(self, archive: Archive) -> Path:
        """Where a zip's content lies; unpacked now if it was not yet.

        Raises
        ------
        ArchiveError
            If it is no zip, unpacks to too much, or holds links or names outside of it.
        """
        target = self._directory / archive.sha256.replace("/", "_")  # base64, as AWS shows digests
        with self._lock:
            if not target.exists():
                self._directory.mkdir(parents=True, exist_ok=True)
                part = Path(tempfile.mkdtemp(dir=self._directory))
                try:
                    _unpack(archive.content, part)
                    part.rename(target)
                finally:
                    shutil.rmtree(part, ignore_errors=True)
        return target


def _unpack(content: bytes, target: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            members = opened.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise ArchiveError(f"it unpacks to more than {MOST_BYTES} bytes")
            for member in members:
                _unpack_member(opened, member, target)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ArchiveError(str(error)) from error


def _unpack_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    name = PurePosixPath(member.filename)
    mode = member.external_attr >> 16
    if name.is_absolute() or ".." in name.parts or stat.S_ISLNK(mode):
        raise ArchiveError(f"{member.filename!r} is a link or leads out of it")
    path = target / name
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, path.open("wb") as written:
        shutil.copyfileobj(source, written)  # zipfile stops at the size that the member declares
    path.chmod((mode & 0o777) | 0o644)
