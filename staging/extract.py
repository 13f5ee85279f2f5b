"""Extract: bring an archive of CIFAR-100 from its address to a file here."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from staging.download import download, require_gzip
from staging.errors import StagingError

OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
OFFICIAL_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
CHECKSUMS = {OFFICIAL_URL: OFFICIAL_MD5}


class ArchiveMissingError(StagingError):
    """There is no such file."""


class ArchiveNotWritableError(StagingError):
    """The archive cannot be written where it should go."""


class UnknownSchemeError(StagingError):
    """The address is neither http(s), nor file, nor a path."""


def extract_cifar_data(url: str, filename: str = "cifar.tar.gz") -> Path:
    """Fetch the archive at `url` into `filename`, which is whole or not there.

    Parameters
    ----------
    url
        An http(s) or file URL, or the path of a local file. A download streams with progress, goes on where
        an interrupted one stopped, repeats what failed in passing, and is checked against the official
        checksum where `url` is the official one.
    filename
        Where it goes; folders are made.

    Returns
    -------
    Path
        `filename`.

    Raises
    ------
    DownloadError, ChecksumError, NotGzipError
        See `staging.download`.
    ArchiveMissingError, UnknownSchemeError
        `url` names nothing that can be read.
    ArchiveNotWritableError
        `filename` cannot be written.
    """
    target = Path(filename)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if urlsplit(url).scheme in ("http", "https"):
            return download(url, target, md5=CHECKSUMS.get(url))
        return _copy(local_archive(url), target)
    except OSError as error:
        raise ArchiveNotWritableError(f"{target} cannot be written: {error}") from error


def local_archive(url: str) -> Path:
    """The file that a path or a file URL names.

    Raises
    ------
    ArchiveMissingError, NotGzipError, UnknownSchemeError
        There is none, it is no gzip file, or it is another kind of address.
    """
    scheme = urlsplit(url).scheme
    if "://" in url and scheme != "file":
        raise UnknownSchemeError(f"{url}: name a http, https or file address, or a path")
    path = Path(url2pathname(urlsplit(url).path) if scheme == "file" else url).expanduser()
    if not path.is_file():
        raise ArchiveMissingError(f"{path} is no file: name an archive in CIFAR-100's format")
    require_gzip(path, name=str(path))
    return path


def _copy(source: Path, target: Path) -> Path:
    if target.exists() and target.samefile(source):
        return target
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)
    return target
