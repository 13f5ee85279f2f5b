"""Which data to stage: `auto`, `sample`, a path or a URL, made into a file that is here."""

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
from staging.extract import OFFICIAL_MD5, OFFICIAL_URL, extract_cifar_data, local_archive
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.synthetic.sample import EDITION, draw_archive, drawings_of

PATIENCE_SECONDS = 6.0  # how long the official address may take to answer at all


@dataclass(frozen=True)
class Source:
    """An archive that is here.

    Attributes
    ----------
    path
        The file.
    description
        The line by which every later figure says which data it stands on.
    md5
        Checksum of the file.
    """

    path: Path
    description: str
    md5: str


def resolve(
    source: str, *, directory: Path, seed: int = 0, classes: Sequence[str] = ("bicycle", "motorcycle")
) -> Source:
    """Bring the archive that `source` names to this machine.

    Parameters
    ----------
    source
        `auto`: the official archive, fetched before or now, and the sample where it cannot be reached within
        seconds. `sample`: drawn by this project. Else the path or URL of an archive.
    directory
        Where what is fetched or drawn is kept.
    seed
        Of the sample.
    classes
        What will be staged: the sample draws these, and the official archive is not fetched for unknown ones.

    Raises
    ------
    StagingError
        As `extract_cifar_data`, `draw_archive` and, for what is not an archive of the user's own, `class_numbers` do.
    """
    if source in ("sample", "auto", OFFICIAL_URL):
        class_numbers(classes, Meta(FINE_NAMES, COARSE_NAMES))
    if source == "sample":
        return _sample(directory, seed, classes)
    if source == "auto":
        return _official_or_sample(directory, seed, classes)
    if urlsplit(source).scheme in ("http", "https"):
        return _described(extract_cifar_data(source, str(directory / _name(source))))
    return _described(local_archive(source))


def _official_or_sample(directory: Path, seed: int, classes: Sequence[str]) -> Source:
    path = directory / _name(OFFICIAL_URL)
    fetched = path.is_file() and file_md5(path) == OFFICIAL_MD5
    if fetched or (reason := _unreachable(OFFICIAL_URL)) is None:
        return _described(extract_cifar_data(OFFICIAL_URL, str(path)))
    print(
        f"WARNING: {OFFICIAL_URL} cannot be reached ({reason}).\n"
        "WARNING: going on with a SAMPLE DRAWN BY THIS PROJECT: its figures say nothing about photographs.\n"
        "WARNING: for the real images name an archive: SOURCE=/path/to/cifar-100-python.tar.gz",
        file=sys.stderr,
    )
    return _sample(directory, seed, classes)


def _sample(directory: Path, seed: int, classes: Sequence[str]) -> Source:
    drawn = sorted(drawings_of(classes))
    path = directory / f"sample-{EDITION}-seed-{seed}-{'-'.join(drawn)}.tar.gz"
    if not path.is_file():
        draw_archive(path, seed=seed, classes=drawn)
    return Source(path, f"sample drawn by this project (seed {seed})", file_md5(path))


def _described(path: Path) -> Source:
    md5 = file_md5(path)
    kind = "CIFAR-100" if md5 == OFFICIAL_MD5 else "archive in CIFAR-100's format, not the official one"
    return Source(path, f"{kind} ({path.name}, md5 {md5})", md5)


def _name(url: str) -> str:
    """A file name for what is fetched from `url`; two addresses never share one."""
    name = PurePosixPath(urlsplit(url).path).name or "archive.tar.gz"
    if url == OFFICIAL_URL:
        return name
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"


def _unreachable(url: str) -> str | None:
    """Why `url` does not answer within seconds; None where it does."""
    answers: list[str | None] = []
    # a thread, because no time limit of requests covers a name server that is silent
    asking = Thread(target=lambda: answers.append(_ask(url)), daemon=True)
    asking.start()
    asking.join(PATIENCE_SECONDS)
    return answers[0] if answers else f"no answer within {PATIENCE_SECONDS:g} s"


def _ask(url: str) -> str | None:
    try:
        status = requests.head(url, allow_redirects=True, timeout=PATIENCE_SECONDS / 2).status_code
    except requests.RequestException as error:
        return type(error).__name__
    return None if status < 400 else f"it answers {status}"
