"""Archives in CIFAR-100's format, sound or hostile, made in a moment."""

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


def rows(labels: Sequence[int], filenames: Sequence[str] | None = None) -> dict[bytes, Any]:
    """A member's content: each row's pixels all have the row's own value, so that rows can be told apart."""
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
    leave_out: str = "",
) -> Path:
    """Write an archive; a member may be given as an object to pickle or as the pickle's bytes."""
    members = {
        "train": train if train is not None else rows([BICYCLE, MOTORCYCLE] * 10),
        "test": test if test is not None else rows([BICYCLE, MOTORCYCLE] * 3),
        "meta": meta,
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            if name != leave_out:
                add(archive, f"cifar-100-python/{name}", content)
        for entry, body in extra:
            archive.addfile(entry, io.BytesIO(body))
    return path


def add(archive: tarfile.TarFile, name: str, content: object) -> None:
    """Add one member."""
    body = content if isinstance(content, bytes) else pickle.dumps(content, protocol=2)
    entry = tarfile.TarInfo(name)
    entry.size = len(body)
    archive.addfile(entry, io.BytesIO(body))


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """An odd member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def cut(path: Path, share: float) -> Path:
    """Leave the first part of a file only."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def zeros_in_gzip(path: Path, *, head: bytes = b"", mebibytes: int) -> Path:
    """A file that unpacks to `head` and that many MiB of zeros."""
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(head)
        for _ in range(mebibytes):
            packed.write(bytes(1 << 20))
    return path
