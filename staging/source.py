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
from staging.extract import OFFICIAL_MD5, OFFICIAL_URL, fetch, local_archive
from staging.folder import folder_md5, printable
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.synthetic.sample import VERSION, draw_archive, drawable_classes
from staging.synthetic.vehicles import VEHICLES

TIMEOUT_SECONDS = 6.0  # for any response from the official URL, name resolution included


@dataclass(frozen=True)
class Source:
    """An archive on this machine, or a folder of images.

    Attributes
    ----------
    description : the line that names the data set in every later report
    md5 : checksum of the file, or of all files in the folder
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
    """Return the archive or the folder that `source` names, after downloading or drawing it if necessary.

    Parameters
    ----------
    source : `auto`: the official archive, or the synthetic sample if the official URL does not respond within seconds;
        `sample`: the synthetic sample, drawn by this project; otherwise the path or URL of an archive, or the path of
        a folder of images
    directory : where downloaded and drawn archives are kept
    seed : seed of the synthetic sample
    classes : the classes to stage, which are validated before anything is downloaded or drawn
    other_classes : whether the synthetic sample needs images of other classes too, to pretrain on

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
    return _describe(local_archive(source) or fetch(source, directory / _file_name(source)))


def _local_folder(path: str) -> Path | None:
    """Return the absolute path of a folder, or None if the path is not that of a folder."""
    try:
        folder = Path(path).expanduser().resolve()
        return folder if path and folder.is_dir() else None
    except (ValueError, RuntimeError, OSError):  # not a path; reading an archive reports it
        return None


def _official_or_sample(directory: Path, seed: int, classes: Sequence[str], other_classes: bool) -> Source:
    path = directory / _file_name(OFFICIAL_URL)
    is_downloaded = path.is_file() and file_md5(path) == OFFICIAL_MD5
    if is_downloaded or (reason := _unreachable(OFFICIAL_URL)) is None:
        return _describe(fetch(OFFICIAL_URL, path))
    print(
        f"WARNING: {OFFICIAL_URL} cannot be reached ({reason}).\n"
        "WARNING: using a SYNTHETIC SAMPLE drawn by this project: its results say nothing about photographs.\n"
        "WARNING: for the real images name an archive: SOURCE=/path/to/cifar-100-python.tar.gz",
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
    """Return the file name for a download from `url`; different URLs never share one."""
    name = PurePosixPath(urlsplit(url).path).name or "archive.tar.gz"
    if url == OFFICIAL_URL:
        return name
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"


def _unreachable(url: str) -> str | None:
    """Return why `url` does not respond within seconds, or None if it does."""
    reasons: list[str | None] = []
    # a thread, because the timeouts of requests do not cover name resolution
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
