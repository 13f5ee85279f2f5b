"""RecordIO, as MXNet's im2rec writes it. https://mxnet.apache.org/versions/1.9.1/api/faq/recordio

A record is a magic number, a word with a flag (3 bits) and a length (29 bits), the content, and zeros to a multiple of
four bytes. Where the content holds the magic number itself, the writer splits it there: the flag is 0 for a whole
record, 1, 2 and 3 for its first, middle and last part.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = struct.pack("<I", 0xCED7230A)
LENGTH_BITS = 29
WHOLE, FIRST, MIDDLE, LAST = range(4)
IMAGE_HEADER = struct.Struct("<IfQQ")  # how many labels follow (0: the one here counts), label, id, second id


class RecordError(Exception):
    """The file is no RecordIO, or ends too early."""


@dataclass(frozen=True)
class LabelledImage:
    """One record of im2rec.

    Attributes
    ----------
    labels : one or more
    content : an encoded image
    """

    labels: tuple[float, ...]
    content: bytes


def read(path: Path) -> Iterator[LabelledImage]:
    """The images of a file.

    Raises
    ------
    RecordError
        As its name says.
    """
    for record in join(parts(path)):
        yield parse(record)


def parts(path: Path) -> Iterator[tuple[int, bytes]]:
    """Flag and content of all that stands behind a magic number."""
    with path.open("rb") as file:
        while header := file.read(8):
            if len(header) < 8 or header[:4] != MAGIC:
                raise RecordError("what should be a record does not begin with RecordIO's magic number")
            (word,) = struct.unpack("<I", header[4:])
            length = word & (1 << LENGTH_BITS) - 1
            padded = file.read(length + -length % 4)
            if len(padded) < length:
                raise RecordError("it ends within a record")
            yield word >> LENGTH_BITS, padded[:length]


def join(found: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """Whole records."""
    pieces: list[bytes] = []
    for flag, content in found:
        if flag > LAST or (flag in (WHOLE, FIRST)) == bool(pieces):
            raise RecordError("the parts of a record are not in their order")
        pieces.append(content)
        if flag in (WHOLE, LAST):
            yield MAGIC.join(pieces)
            pieces.clear()
    if pieces:
        raise RecordError("it ends within a record")


def parse(record: bytes) -> LabelledImage:
    """Labels and image of a record."""
    if len(record) < IMAGE_HEADER.size:
        raise RecordError("a record is too short to hold an image")
    count, label, _, _ = IMAGE_HEADER.unpack_from(record)
    end = IMAGE_HEADER.size + 4 * count
    if end > len(record):
        raise RecordError("a record is too short for its labels")
    labels = struct.unpack_from(f"<{count}f", record, IMAGE_HEADER.size) if count else (label,)
    return LabelledImage(labels, record[end:])
