"""Read an archive in CIFAR-100's format, member by member into memory; nothing is unpacked to disk."""

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
from staging.unpickle import PickleError, UnsafePickleError, read_pickle

MEMBERS = ("train", "test", "meta")
LabelKind = Literal["fine", "coarse"]  # each image has one label of each kind
PIXELS = 3072  # values of an image: 1024 red, 1024 green, 1024 blue; each channel is 32 x 32 in row-major order
# Limits, because members are read into memory. The official archive has 5 members: the largest has 155 MB, all together
# have 187 MB
MAX_MEMBER_BYTES, MAX_ARCHIVE_BYTES, MAX_MEMBERS = 256 << 20, 512 << 20, 100


class ArchiveError(StagingError):
    """The file is damaged, or not an archive in CIFAR-100's format."""


class UnsafeArchiveError(ArchiveError):
    """The archive contains a link, a device, a path outside itself, a pickle that could run code, or too much data."""


@dataclass(frozen=True)
class Examples:
    """The images of one split with their labels; all four fields have the same length.

    Attributes
    ----------
    data : pixel values, uint8 of shape (n, 3072): 1024 red, 1024 green, 1024 blue; each channel is 32 x 32 in row-major
        order
    fine_labels, coarse_labels : positions of the class names in `Meta`, int64 of shape (n,)
    filenames : file names as stored in the archive; not safe to use as paths
    """

    data: NDArray[np.uint8]
    fine_labels: NDArray[np.int64]
    coarse_labels: NDArray[np.int64]
    filenames: tuple[str, ...]

    def labels(self, kind: LabelKind) -> NDArray[np.int64]:
        """Return the fine or the coarse labels."""
        return self.fine_labels if kind == "fine" else self.coarse_labels


@dataclass(frozen=True)
class Meta:
    """The class names; a name's position is its label."""

    fine_names: tuple[str, ...]
    coarse_names: tuple[str, ...]

    def names(self, kind: LabelKind) -> tuple[str, ...]:
        """Return the fine or the coarse names."""
        return self.fine_names if kind == "fine" else self.coarse_names


@dataclass(frozen=True)
class Archive:
    """The content of an archive."""

    train: Examples
    test: Examples
    meta: Meta


def read_archive(path: Path) -> Archive:
    """Read and validate an archive in CIFAR-100's format.

    Raises
    ------
    ArchiveError
        The file is missing, damaged or in another format.
    UnsafeArchiveError
        Reading the archive could harm this machine.
    """
    contents: dict[str, dict[str, Any]] = {}
    try:
        for name, content in _members(path):
            if name in contents:
                raise ArchiveError(f"it contains {name} twice")
            contents[name] = _read_member(name, content)
        missing = [name for name in MEMBERS if name not in contents]
        if missing:
            raise ArchiveError(f"it contains no {missing[0]}: CIFAR-100 has train, test and meta")
        meta = _meta(contents["meta"])
        return Archive(_examples("train", contents["train"], meta), _examples("test", contents["test"], meta), meta)
    except ArchiveError as error:
        raise type(error)(f"{path}: {error}") from error


def _read_member(name: str, content: bytes) -> dict[str, Any]:
    try:
        return read_pickle(content)
    except UnsafePickleError as error:
        raise UnsafeArchiveError(f"{name}: {error}") from error
    except PickleError as error:
        raise ArchiveError(f"{name}: {error}") from error


class _LimitedStream:
    """A stream that raises an error when more than `limit` bytes are read from it."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise UnsafeArchiveError(f"it unpacks to more than {MAX_ARCHIVE_BYTES >> 20} MiB")
        return content


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of train, test and meta; read the whole archive, and check every member."""
    try:
        with gzip.open(path) as unpacked:
            stream = _LimitedStream(unpacked, MAX_ARCHIVE_BYTES)
            with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
                for count, member in enumerate(archive, start=1):
                    _require_safe(member, count)
                    name = PurePosixPath(member.name).name
                    content = archive.extractfile(member) if name in MEMBERS and member.isreg() else None
                    if content:
                        yield name, content.read()
            while stream.read(1 << 16):
                pass  # continue to the end of the file, where gzip's checksum is
    except FileNotFoundError as error:
        raise ArchiveError("the file does not exist") from error
    except EOFError as error:
        raise ArchiveError("the archive is truncated: download or copy it again") from error
    except (tarfile.TarError, zlib.error, OSError) as error:
        raise ArchiveError(f"not an intact .tar.gz archive ({error})") from error


def _require_safe(member: tarfile.TarInfo, count: int) -> None:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise UnsafeArchiveError(f"the path of member {member.name!r} points outside the archive")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise UnsafeArchiveError(f"member {member.name!r} is neither a regular file nor a directory")
    if member.size > MAX_MEMBER_BYTES:
        raise UnsafeArchiveError(f"member {member.name!r} has more than {MAX_MEMBER_BYTES >> 20} MiB")
    if count > MAX_MEMBERS:
        raise UnsafeArchiveError(f"it contains more than {MAX_MEMBERS} members")


def _meta(content: dict[str, Any]) -> Meta:
    return Meta(
        _strings("meta", content, "fine_label_names"),
        _strings("meta", content, "coarse_label_names"),
    )


def _examples(member: str, content: dict[str, Any], meta: Meta) -> Examples:
    data = _entry(member, content, "data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (PIXELS,):
        raise ArchiveError(f"{member}: data must be uint8 of shape (n, {PIXELS}) (got {_describe(data)})")
    examples = Examples(
        data,
        _labels(member, content, "fine_labels", len(meta.fine_names)),
        _labels(member, content, "coarse_labels", len(meta.coarse_names)),
        _strings(member, content, "filenames"),
    )
    for name in ("fine_labels", "coarse_labels", "filenames"):
        count = len(getattr(examples, name))
        if count != len(data):
            raise ArchiveError(f"{member}: {len(data)} images, but {count} {name}")
    return examples


def _labels(member: str, content: dict[str, Any], key: str, classes: int) -> NDArray[np.int64]:
    labels = _sequence(_entry(member, content, key), kinds="iuO")
    allowed = range(classes)
    if labels is None or not all(type(label) is int and label in allowed for label in labels):
        raise ArchiveError(f"{member}: {key} must be a list or an array of integers from 0 to {classes - 1}")
    return np.array(labels, dtype=np.int64)


def _strings(member: str, content: dict[str, Any], key: str) -> tuple[str, ...]:
    strings = _sequence(_entry(member, content, key), kinds="SUO")
    if strings is None or not all(isinstance(string, bytes | str) and string for string in strings):
        raise ArchiveError(f"{member}: {key} must be a list or an array of non-empty strings")
    # text from a pickle may contain half a surrogate pair, which no file can store
    encoded = (string.encode(errors="replace") if isinstance(string, str) else string for string in strings)
    return tuple(string.decode(errors="replace") for string in encoded)


def _sequence(values: Any, *, kinds: str) -> list[Any] | None:
    """Return the elements of a list, a tuple, or a 1-D array whose NumPy kind is in `kinds`; None for other values."""
    if isinstance(values, np.ndarray):
        return values.tolist() if values.ndim == 1 and values.dtype.kind in kinds else None
    return list(values) if isinstance(values, list | tuple) else None


def _entry(member: str, content: dict[str, Any], key: str) -> Any:
    if key not in content:
        raise ArchiveError(f"{member} has no {key}: the archive is not in CIFAR-100's format")
    return content[key]


def _describe(value: object) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
