"""Write small archives in the CIFAR-100 format, valid or invalid."""

import gzip
import io
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from staging.names import COARSE_NAMES, FINE_NAMES

BICYCLE, BUS, MOTORCYCLE = (FINE_NAMES.index(name) for name in ("bicycle", "bus", "motorcycle"))
META = {
    b"fine_label_names": [name.encode() for name in FINE_NAMES],
    b"coarse_label_names": [name.encode() for name in COARSE_NAMES],
}


def examples(labels: Sequence[int], filenames: Sequence[str] | None = None) -> dict[bytes, Any]:
    """Return the content of the member `train` or `test`: the examples' images, labels and file names.

    All pixels of an image have the image's position as their value, so that tests can recognise the image.

    Parameters
    ----------
    labels : fine label of each example
    filenames : file name of each example
    """
    names = filenames or [f"image_s_{number:06d}.png" for number in range(len(labels))]
    return {
        b"filenames": [name.encode() for name in names],
        b"batch_label": b"batch 1 of 1",
        b"fine_labels": list(labels),
        b"coarse_labels": [18] * len(labels),
        b"data": np.arange(len(labels), dtype=np.uint8)[:, None].repeat(3072, axis=1),
    }


def write_archive(
    path: Path,
    *,
    train: Mapping[bytes, Any] | bytes | None = None,
    test: Mapping[bytes, Any] | bytes | None = None,
    meta: Mapping[bytes, Any] | bytes = META,
    extra: Sequence[tuple[tarfile.TarInfo, bytes]] = (),
    omit: str = "",
) -> Path:
    """Write an archive, and return its path.

    Parameters
    ----------
    train, test, meta : content of each member: an object, which is pickled, or the bytes of a pickle
    extra : further members
    omit : name of a member that is not written
    """
    members = {
        "train": train if train is not None else examples([BICYCLE, MOTORCYCLE] * 10),
        "test": test if test is not None else examples([BICYCLE, MOTORCYCLE] * 3),
        "meta": meta,
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            if name != omit:
                add(archive, f"cifar-100-python/{name}", content)
        for entry, body in extra:
            archive.addfile(entry, io.BytesIO(body))
    return path


def add(archive: tarfile.TarFile, name: str, content: object) -> None:
    """Add a member to an archive; `content` is pickled unless it is bytes."""
    body = content if isinstance(content, bytes) else pickle.dumps(content, protocol=2)
    entry = tarfile.TarInfo(name)
    entry.size = len(body)
    archive.addfile(entry, io.BytesIO(body))


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Return an empty member of any type.

    Parameters
    ----------
    kind : tarfile's type of the member, such as `tarfile.SYMTYPE`
    target : path to which a link points
    """
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def truncate(path: Path, fraction: float) -> Path:
    """Truncate a file to a fraction of its bytes, and return its path."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path


def zeros_in_gzip(path: Path, *, head: bytes = b"", mebibytes: int) -> Path:
    """Write a gzip file that unpacks to `head`, followed by `mebibytes` MiB of zeros."""
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(head)
        for _ in range(mebibytes):
            packed.write(bytes(1 << 20))
    return path
