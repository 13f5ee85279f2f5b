"""Read RecordIO shards, the format of SageMaker's built-in algorithms: many images in one file.

Sources: https://mxnet.apache.org/versions/1.9.1/api/architecture/note_data_loading, and MXNet's `pack_img`, which puts
a header before each image.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import InputError

MAGIC = 0xCED7230A
FRAME = struct.Struct("<II")  # magic number; flag (upper 3 bits) and length (lower 29 bits)
HEADER = struct.Struct("<IfQQ")  # flag, label, id, id2
LENGTH_BITS = 29
WHOLE, FIRST, MIDDLE, LAST = range(4)  # flags: which part of a record a frame contains


def read_records(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield the ID, the label and the content of the image file of each record.

    Raises
    ------
    InputError
        The file is truncated, or does not contain RecordIO images with one label each.
    """
    with path.open("rb") as stream:
        while frame := stream.read(FRAME.size):
            yield _read_record(frame, stream, path.name)


def _read_record(frame: bytes, stream: BinaryIO, name: str) -> tuple[int, int, bytes]:
    content = _read_content(frame, stream, name)
    if len(content) < HEADER.size:
        raise InputError(f"{name} is not a RecordIO file of images")
    extra_labels, label, record_id, _ = HEADER.unpack_from(content)
    if extra_labels or label != int(label):
        raise InputError(f"{name}, record {record_id}: the label must be one whole number")
    return record_id, int(label), content[HEADER.size :]


def _read_content(frame: bytes, stream: BinaryIO, name: str) -> bytes:
    """Return a record's content, including magic numbers that occur in it.

    The writer splits the content into frames at each aligned magic number, and omits the number. This function
    therefore inserts the magic number between frames.
    """
    parts: list[bytes] = []
    while True:
        if len(frame) < FRAME.size:
            raise InputError(f"{name} is truncated")
        magic, word = FRAME.unpack(frame)
        flag, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
        if magic != MAGIC or flag not in ((MIDDLE, LAST) if parts else (WHOLE, FIRST)):
            raise InputError(f"{name} is not a RecordIO file of images")
        parts.append(stream.read(length))
        stream.read(-length % 4)
        if len(parts[-1]) < length:
            raise InputError(f"{name} is truncated")
        if flag in (WHOLE, LAST):
            return struct.pack("<I", MAGIC).join(parts)
        frame = stream.read(FRAME.size)
