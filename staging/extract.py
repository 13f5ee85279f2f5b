"""Extract: copy or download an archive in CIFAR-100's format to a local file."""

import shutil
import stat
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from staging.download import delete_origin, download, require_gzip
from staging.errors import StagingError

OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
OFFICIAL_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
CHECKSUMS = {OFFICIAL_URL: OFFICIAL_MD5}


class NotAFileError(StagingError):
    """There is no file at the path of a local archive."""


def extract_cifar_data(url: str, filename: str = "cifar.tar.gz") -> Path:
    """Copy or download the archive at `url` to `filename`, completely or not at all.

    This is the function that the course asks for. `make stage` uses `local_archive` and `fetch` instead.

    Parameters
    ----------
    url : an http(s) or file URL, or the path of a local file
    filename : path to write to; missing directories are created

    Returns
    -------
    Path
        `filename`.

    Raises
    ------
    StagingError
        `url` is not the address of a readable archive, the download failed, or `filename` cannot be written.
    """
    local = local_archive(url)
    return fetch(url, Path(filename)) if local is None else _copy(local, Path(filename))


def local_archive(address: str) -> Path | None:
    """Return the path of the local archive that `address` names, or None if `address` is an http(s) URL.

    Raises
    ------
    NotAFileError
        There is no file at this path.
    StagingError
        The file cannot be read or is not a gzip file, or the URL's scheme is not https, http or file.
    """
    try:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https"):
            return None
        if "://" in address and parts.scheme != "file":
            raise StagingError(f"the URL of an archive must begin with https, http or file (got {address})")
        path = Path(url2pathname(parts.path) if parts.scheme == "file" else address).expanduser()
        is_file = stat.S_ISREG(path.stat().st_mode)
    except PermissionError as error:  # a directory of the path may not be searched
        raise StagingError(f"{address} cannot be read: {error.strerror}") from error
    except (ValueError, RuntimeError, OSError):  # an invalid URL, an unknown user in ~user, a name that is too long
        is_file = False
    if not is_file:
        raise NotAFileError(f"{address[:200]!r} is not a file")
    try:
        require_gzip(path, name=str(path))
    except OSError as error:
        raise StagingError(f"{path} cannot be read: {error.strerror}") from error
    return path


def fetch(url: str, target: Path) -> Path:
    """Download the archive at `url` to the file `target`, and return `target`.

    An interrupted download is resumed, transient errors are retried, and the official archive's MD5 checksum is
    verified.

    Raises
    ------
    DownloadError
        The download failed, or the content is not the expected archive.
    StagingError
        `target` cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return download(url, target, md5=CHECKSUMS.get(url))
    except OSError as error:
        raise _not_writable(target, error) from error


def _copy(source: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            return target
        part = target.with_name(f"{target.name}.part")
        delete_origin(part)
        shutil.copyfile(source, part)
        delete_origin(target)
        part.replace(target)
    except OSError as error:
        raise _not_writable(target, error) from error
    return target


def _not_writable(target: Path, error: OSError) -> StagingError:
    return StagingError(f"{target} cannot be written: {error}")
