"""Reader for RecordIO files that MXNet's im2rec writes. https://mxnet.apache.org/versions/1.9.1/api/faq/recordio

A record is a magic number, a word with a flag (3 bits) and a length (29 bits), the content, and zeros to a multiple of
four bytes. The writer splits content that contains the magic number: the flag is 0 for a whole record, and 1, 2 and 3
for the first, middle and last part of a split record.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = struct.pack("<I", 0xCED7230A)
LENGTH_BITS = 29
WHOLE, FIRST, MIDDLE, LAST = range(4)
# number of labels after the header (0 if the header's own label is the only one), label, id, second id
IMAGE_HEADER = struct.Struct("<IfQQ")


class RecordError(Exception):
    """The file is not in RecordIO format, or is truncated."""


@dataclass(frozen=True)
class LabelledImage:
    """One record that im2rec wrote.

    Attributes
    ----------
    labels : one or more labels
    content : encoded image
    """

    labels: tuple[float, ...]
    content: bytes


def read(path: Path) -> Iterator[LabelledImage]:
    """Yield the images of a file.

    Raises
    ------
    RecordError
        If the file is not in RecordIO format, or is truncated.
    """
    for record in join(parts(path)):
        yield parse(record)


def parts(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the flag and content of each part, which is a whole record or a piece of a split record."""
    with path.open("rb") as file:
        while header := file.read(8):
            if len(header) < 8 or header[:4] != MAGIC:
                raise RecordError("a record does not begin with RecordIO's magic number")
            (word,) = struct.unpack("<I", header[4:])
            length = word & (1 << LENGTH_BITS) - 1
            padded = file.read(length + -length % 4)
            if len(padded) < length:
                raise RecordError("the file ends within a record")
            yield word >> LENGTH_BITS, padded[:length]


def join(flagged_parts: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """Yield whole records, after joining the parts of split records."""
    pieces: list[bytes] = []
    for flag, content in flagged_parts:
        if flag > LAST or (flag in (WHOLE, FIRST)) == bool(pieces):
            raise RecordError("the parts of a record are not in order")
        pieces.append(content)
        if flag in (WHOLE, LAST):
            yield MAGIC.join(pieces)
            pieces.clear()
    if pieces:
        raise RecordError("the file ends within a record")


def parse(record: bytes) -> LabelledImage:
    """Return the labels and the image of a record."""
    if len(record) < IMAGE_HEADER.size:
        raise RecordError("a record is too short to contain an image")
    count, label, _, _ = IMAGE_HEADER.unpack_from(record)
    end = IMAGE_HEADER.size + 4 * count
    if end > len(record):
        raise RecordError("a record is too short for its labels")
    labels = struct.unpack_from(f"<{count}f", record, IMAGE_HEADER.size) if count else (label,)
    return LabelledImage(labels, record[end:])
