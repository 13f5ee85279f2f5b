"""Resolve SOURCE (`auto`, `sample`, a path or a URL) to an archive or a folder on this machine."""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Thread
from urllib.parse import urlsplit

import requests

from staging.archive import Meta
from staging.checksum import file_md5
from staging.classes import class_numbers
from staging.errors import StagingError
from staging.extract import OFFICIAL_MD5, OFFICIAL_URL, NotAFileError, fetch, local_archive
from staging.folder import folder_md5, printable
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.synthetic.sample import VERSION, draw_archive, drawable_classes
from staging.synthetic.vehicles import VEHICLES

TIMEOUT_SECONDS = 6.0  # maximum time until the official URL responds, including name resolution


@dataclass(frozen=True)
class Source:
    """An archive on this machine, or a folder of images.

    Attributes
    ----------
    path : path of the archive or folder
    description : line that names the data set in reports
    md5 : MD5 of the archive, or of all files in the folder, in hexadecimal
    synthetic : whether this project drew the images itself
    """

    path: Path
    description: str
    md5: str
    synthetic: bool


def resolve(
    source: str,
    *,
    directory: Path,
    seed: int = 0,
    classes: Sequence[str] = ("bicycle", "motorcycle"),
    other_classes: bool = False,
) -> Source:
    """Return the archive or folder that the option SOURCE names; download or draw the archive if necessary.

    Parameters
    ----------
    source : `auto`: the official archive, or the synthetic sample if the official URL does not respond within
        TIMEOUT_SECONDS or responds with an error; `sample`: the synthetic sample, drawn by this project; any other
        value: the path or URL of an archive, or the path of a folder of images
    directory : directory in which downloaded and drawn archives are kept
    seed : random seed of the synthetic sample
    classes : the classes to stage; for `auto`, `sample` and the official URL they are validated before anything is
        downloaded or drawn
    other_classes : whether the synthetic sample also needs images of other classes, for pretraining

    Raises
    ------
    StagingError
        A class is unknown, or the archive or the folder cannot be read, downloaded or drawn.
    """
    if source in ("sample", "auto", OFFICIAL_URL):
        class_numbers(classes, Meta(FINE_NAMES, COARSE_NAMES))
    if source == "sample":
        return _sample(directory, seed, classes, other_classes)
    if source == "auto":
        return _official_or_sample(directory, seed, classes, other_classes)
    if folder := _local_folder(source):
        md5 = folder_md5(folder)
        return Source(folder, f"folder {printable(folder.name)} (md5 {md5})", md5, synthetic=False)
    try:
        archive = local_archive(source)
    except NotAFileError as error:
        raise StagingError(
            f"{error}: SOURCE must be auto, sample, a folder with one sub-folder per class, "
            "or the path or URL of an archive in CIFAR-100's format, such as /data/cifar-100-python.tar.gz"
        ) from error
    return _describe(archive or fetch(source, directory / _file_name(source)))


def _local_folder(path: str) -> Path | None:
    """Return the absolute path of the folder at `path`, or None if there is no folder."""
    try:
        folder = Path(path).expanduser().resolve()
        return folder if path and folder.is_dir() else None
    except (ValueError, RuntimeError, OSError):  # not a valid path; `local_archive` reports the error
        return None


def _official_or_sample(directory: Path, seed: int, classes: Sequence[str], other_classes: bool) -> Source:
    path = directory / _file_name(OFFICIAL_URL)
    is_downloaded = path.is_file() and file_md5(path) == OFFICIAL_MD5
    if is_downloaded or (reason := _unreachable(OFFICIAL_URL)) is None:
        return _describe(fetch(OFFICIAL_URL, path))
    print(
        f"WARNING: {OFFICIAL_URL} cannot be reached ({reason}).\n"
        "WARNING: using a SYNTHETIC SAMPLE drawn by this project: its results say nothing about photographs.\n"
        "WARNING: to use real images, set SOURCE to an archive: SOURCE=/path/to/cifar-100-python.tar.gz",
        file=sys.stderr,
    )
    return _sample(directory, seed, classes, other_classes)


def _sample(directory: Path, seed: int, classes: Sequence[str], other_classes: bool) -> Source:
    chosen = drawable_classes(classes)  # raises an error for a class that the project cannot draw
    names = sorted(VEHICLES if other_classes else chosen)
    path = directory / f"sample-{VERSION}-seed-{seed}-{'-'.join(names)}.tar.gz"
    if not path.is_file():
        draw_archive(path, seed=seed, classes=names)
    return Source(path, f"synthetic sample drawn by this project (seed {seed})", file_md5(path), synthetic=True)


def _describe(path: Path) -> Source:
    md5 = file_md5(path)
    kind = "CIFAR-100" if md5 == OFFICIAL_MD5 else "archive in CIFAR-100's format, not the official one"
    return Source(path, f"{kind} ({path.name}, md5 {md5})", md5, synthetic=False)


def _file_name(url: str) -> str:
    """Return the file name for a download from `url`. Different URLs have different file names."""
    name = PurePosixPath(urlsplit(url).path).name or "archive.tar.gz"
    if url == OFFICIAL_URL:
        return name
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"


def _unreachable(url: str) -> str | None:
    """Return the reason why `url` cannot be reached, or None if it responds within TIMEOUT_SECONDS."""
    reasons: list[str | None] = []
    # in a thread, because the timeouts of the requests library do not include name resolution
    probe = Thread(target=lambda: reasons.append(_probe(url)), daemon=True)
    probe.start()
    probe.join(TIMEOUT_SECONDS)
    return reasons[0] if reasons else f"no response within {TIMEOUT_SECONDS:g} s"


def _probe(url: str) -> str | None:
    try:
        status = requests.head(url, allow_redirects=True, timeout=TIMEOUT_SECONDS / 2).status_code
    except requests.RequestException as error:
        return type(error).__name__
    return None if status < 400 else f"it returned {status}"
