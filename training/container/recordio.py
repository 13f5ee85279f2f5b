"""RecordIO, the form of shards that SageMaker's own algorithms read: many images in one file.

Source: https://mxnet.apache.org/versions/1.9.1/api/architecture/note_data_loading, and MXNet's `pack_img`, whose header
of an image stands before its file.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from errors import InputError

MAGIC = 0xCED7230A
FRAME = struct.Struct("<II")  # magic, flag and length
HEADER = struct.Struct("<IfQQ")  # flag, label, id, id2
LENGTH_BITS = 29
WHOLE, FIRST, MIDDLE, LAST = range(4)  # flags: which part of a record it is


def read_records(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Each record's row, class and image file.

    Raises
    ------
    InputError
        The file is cut short, or is no RecordIO of images with one class each.
    """
    with path.open("rb") as stream:
        while frame := stream.read(FRAME.size):
            yield _record(frame, stream, path.name)


def _record(frame: bytes, stream: BinaryIO, name: str) -> tuple[int, int, bytes]:
    content = _content(frame, stream, name)
    if len(content) < HEADER.size:
        raise InputError(f"{name} is no RecordIO of images")
    labels, label, row, _ = HEADER.unpack_from(content)
    if labels or label != int(label):
        raise InputError(f"{name}, row {row}: must have one class, a whole number")
    return row, int(label), content[HEADER.size :]


def _content(frame: bytes, stream: BinaryIO, name: str) -> bytes:
    """What a record holds; where the magic number stood in it, its writer parted it there and left the number out."""
    parts: list[bytes] = []
    while True:
        if len(frame) < FRAME.size:
            raise InputError(f"{name} is cut short")
        magic, word = FRAME.unpack(frame)
        flag, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
        if magic != MAGIC or flag not in ((MIDDLE, LAST) if parts else (WHOLE, FIRST)):
            raise InputError(f"{name} is no RecordIO of images")
        parts.append(stream.read(length))
        stream.read(-length % 4)
        if len(parts[-1]) < length:
            raise InputError(f"{name} is cut short")
        if flag in (WHOLE, LAST):
            return struct.pack("<I", MAGIC).join(parts)
        frame = stream.read(FRAME.size)
