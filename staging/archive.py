"""Read an archive in CIFAR-100's format, member by member and into memory: nothing is unpacked to disk."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from staging.errors import StagingError
from staging.unpickle import read_pickle

MEMBERS = ("train", "test", "meta")
Kind = Literal["fine", "coarse"]  # of the two labels that a row has
PIXELS = 3072  # 1024 red, 1024 green, 1024 blue, each 32 x 32 in row order
# the official archive has 5 members, of which the largest has 155 MB and all together 187 MB
LARGEST_MEMBER, LARGEST_ARCHIVE, MOST_MEMBERS = 256 << 20, 512 << 20, 100


class ArchiveDamagedError(StagingError):
    """It is cut off, or no `.tar.gz`."""


class ArchiveUnsafeError(StagingError):
    """It holds a link, a device, or a path that leads outside."""


class ArchiveTooLargeError(StagingError):
    """It unpacks to more than CIFAR-100 can be."""


class ArchiveContentError(StagingError):
    """It is an archive, but not of CIFAR-100's format."""


@dataclass(frozen=True)
class Rows:
    """The images of one split; all four have the same length.

    Attributes
    ----------
    data
        uint8, (rows, 3072): 1024 red, 1024 green, 1024 blue values, each 32 x 32 in row order.
    fine_labels, coarse_labels
        int64, (rows,): positions in `Meta`'s lists.
    filenames
        As the archive has them, not to be trusted as paths.
    """

    data: NDArray[np.uint8]
    fine_labels: NDArray[np.int64]
    coarse_labels: NDArray[np.int64]
    filenames: tuple[str, ...]

    def labels(self, kind: Kind) -> NDArray[np.int64]:
        """The labels of one kind."""
        return self.fine_labels if kind == "fine" else self.coarse_labels


@dataclass(frozen=True)
class Meta:
    """Names of the classes; the position of a name is its label."""

    fine_names: tuple[str, ...]
    coarse_names: tuple[str, ...]

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The names of one kind."""
        return self.fine_names if kind == "fine" else self.coarse_names


@dataclass(frozen=True)
class Archive:
    """All that is read from an archive."""

    train: Rows
    test: Rows
    meta: Meta


def read_archive(path: Path) -> Archive:
    """Read and check an archive of CIFAR-100's format.

    Raises
    ------
    ArchiveDamagedError, ArchiveUnsafeError, ArchiveTooLargeError, ArchiveContentError
        See each.
    HostilePickleError, DamagedPickleError
        See `staging.unpickle`.
    """
    found: dict[str, dict[Any, Any]] = {}
    try:
        for name, content in _members(path):
            if name in found:
                raise ArchiveContentError(f"it holds {name} twice")
            found[name] = read_pickle(content)
        missing = [name for name in MEMBERS if name not in found]
        if missing:
            raise ArchiveContentError(f"it holds no {missing[0]}: CIFAR-100 has train, test and meta")
        meta = _meta(found["meta"])
        return Archive(_rows("train", found["train"], meta), _rows("test", found["test"], meta), meta)
    except StagingError as error:
        raise type(error)(f"{path}: {error}") from error


class _Capped:
    """A stream that ends with an error before it fills the memory."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ArchiveTooLargeError(f"unpacks to more than {LARGEST_ARCHIVE >> 20} MiB")
        return content


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The needed members and their content; the whole archive is read and every member checked."""
    try:
        with gzip.open(path) as unpacked:
            stream = _Capped(unpacked, LARGEST_ARCHIVE)
            with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
                for count, member in enumerate(archive, start=1):
                    _require_harmless(member, count)
                    name = PurePosixPath(member.name).name
                    content = archive.extractfile(member) if name in MEMBERS and member.isreg() else None
                    if content:
                        yield name, content.read()
            while stream.read(1 << 16):
                pass  # to the end, where gzip keeps its checksum
    except FileNotFoundError as error:
        raise ArchiveDamagedError("there is no such file") from error
    except EOFError as error:
        raise ArchiveDamagedError("the archive is cut off: fetch it again") from error
    except (tarfile.TarError, zlib.error, OSError) as error:
        raise ArchiveDamagedError(f"no intact .tar.gz archive ({error})") from error


def _require_harmless(member: tarfile.TarInfo, count: int) -> None:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveUnsafeError(f"member {member.name!r} leads outside the archive")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise ArchiveUnsafeError(f"member {member.name!r} is neither a plain file nor a folder")
    if member.size > LARGEST_MEMBER:
        raise ArchiveTooLargeError(f"member {member.name!r} has more than {LARGEST_MEMBER >> 20} MiB")
    if count > MOST_MEMBERS:
        raise ArchiveTooLargeError(f"holds more than {MOST_MEMBERS} members")


def _meta(content: dict[Any, Any]) -> Meta:
    return Meta(
        _texts("meta", content, "fine_label_names"),
        _texts("meta", content, "coarse_label_names"),
    )


def _rows(member: str, content: dict[Any, Any], meta: Meta) -> Rows:
    data = _entry(member, content, "data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (PIXELS,):
        raise ArchiveContentError(f"{member}: data is {_describe(data)}, not uint8 of rows x {PIXELS}")
    rows = Rows(
        data,
        _labels(member, content, "fine_labels", len(meta.fine_names)),
        _labels(member, content, "coarse_labels", len(meta.coarse_names)),
        _texts(member, content, "filenames"),
    )
    for name in ("fine_labels", "coarse_labels", "filenames"):
        count = len(getattr(rows, name))
        if count != len(data):
            raise ArchiveContentError(f"{member}: {len(data)} rows of data, but {count} {name}")
    return rows


def _labels(member: str, content: dict[Any, Any], key: str, classes: int) -> NDArray[np.int64]:
    labels = _entry(member, content, key)
    allowed = range(classes)
    if not isinstance(labels, list) or not all(type(label) is int and label in allowed for label in labels):
        raise ArchiveContentError(f"{member}: {key} are not all whole numbers from 0 to {classes - 1}")
    return np.array(labels, dtype=np.int64)


def _texts(member: str, content: dict[Any, Any], key: str) -> tuple[str, ...]:
    texts = _entry(member, content, key)
    if not isinstance(texts, list) or not all(isinstance(text, bytes) and text for text in texts):
        raise ArchiveContentError(f"{member}: {key} are not all texts")
    return tuple(text.decode("utf-8", errors="replace") for text in texts)


def _entry(member: str, content: dict[Any, Any], key: str) -> Any:
    if key.encode() not in content:
        raise ArchiveContentError(f"{member} has no {key}: it is not in CIFAR-100's format")
    return content[key.encode()]


def _describe(value: object) -> str:
    return f"{value.dtype} of {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
