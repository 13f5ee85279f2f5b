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
    if len(frame) < FRAME.size:
        raise InputError(f"{name} is cut short")
    magic, word = FRAME.unpack(frame)
    part, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
    if magic != MAGIC or part or length < HEADER.size:
        raise InputError(f"{name} is no RecordIO of images, each whole in one record")
    content = stream.read(length)
    stream.read(-length % 4)
    if len(content) < length:
        raise InputError(f"{name} is cut short")
    labels, label, row, _ = HEADER.unpack_from(content)
    if labels or label != int(label):
        raise InputError(f"{name}, row {row}: must have one class, a whole number")
    return row, int(label), content[HEADER.size :]
