"""RecordIO shards of images, as MXNet's im2rec writes them and SageMaker's image algorithms read them.

A shard is a row of records, little-endian: a magic number, a word with flag and length, the payload, zeros up
to a multiple of 4. The payload is an image's header and its encoded bytes. Where the magic number itself stands
at a multiple of 4 in a payload, the payload is parted there and the number left out, so that a reader can find
a record's beginning from anywhere; the flag says which part it is.

Source: the headers `recordio.h` of dmlc-core and `image_recordio.h` of MXNet.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from staging.errors import StagingError

CONTENT_TYPE = "application/x-recordio"
SUFFIX = ".rec"
SHARD_ROWS = 1000  # at most
MAGIC = 0xCED7230A
MARK = struct.pack("<I", MAGIC)
HEAD = struct.Struct("<II")  # the magic number; flag in the upper 3 bits, length in the lower 29
IMAGE = struct.Struct("<IfQQ")  # 0, the label, the row's number, 0
LENGTH_BITS = 29
WHOLE, FIRST, MIDDLE, LAST = range(4)


class ShardDamagedError(StagingError):
    """The shard is cut off, or no shard."""


class RecordTooLargeError(StagingError):
    """An image has more bytes than a record can hold."""


@dataclass(frozen=True)
class Record:
    """One image: its row's number in the split, its class number, its encoded bytes."""

    row: int
    number: int
    image: bytes


def write_shards(folder: Path, records: Iterable[Record], *, count: int, rows: int = SHARD_ROWS) -> list[Path]:
    """Write records as `<folder>/<folder's name>-00000.rec` and so on; one record is in memory at a time.

    The shards' sizes differ by at most one record, since hosts that are dealt shards take as many steps as the one
    with the fewest records.

    Parameters
    ----------
    count
        How many records there are.
    rows
        Records a shard, at most.

    Returns
    -------
    list
        The shards; none where there are no records.

    Raises
    ------
    RecordTooLargeError
        See there.
    """
    paths: list[Path] = []
    left = iter(records)
    shards = -(-count // rows)
    for number in range(shards):
        paths.append(folder / f"{folder.name}-{number:05d}{SUFFIX}")
        size = count * (number + 1) // shards - count * number // shards
        with paths[-1].open("wb") as shard:
            for record in islice(left, size):
                _write(shard, IMAGE.pack(0, record.number, record.row, 0) + record.image)
    return paths


def read_shard(path: Path) -> Iterator[Record]:
    """The records of one shard, one in memory at a time.

    Raises
    ------
    ShardDamagedError
        See there; what came before the damage has been given.
    """
    with path.open("rb") as shard:
        for payload in _payloads(shard, path):
            if len(payload) < IMAGE.size:
                raise ShardDamagedError(f"{path} holds a record without an image's header")
            _, label, row, _ = IMAGE.unpack_from(payload)
            yield Record(row, int(label), payload[IMAGE.size :])


def _write(shard: BinaryIO, payload: bytes) -> None:
    parts = _parted(payload)
    for place, part in enumerate(parts):
        if len(part) >> LENGTH_BITS:
            raise RecordTooLargeError(f"an image of {len(part)} bytes does not fit into a record")
        flag = _flag(place, len(parts))
        shard.write(HEAD.pack(MAGIC, flag << LENGTH_BITS | len(part)) + part + bytes(-len(part) % 4))


def _parted(payload: bytes) -> list[bytes]:
    """The payload without the magic numbers that stand at a multiple of 4: what is between them."""
    parts = []
    start = found = 0
    while (found := payload.find(MARK, found)) >= 0:
        if found % 4:
            found += 1
            continue
        parts.append(payload[start:found])
        start = found = found + len(MARK)
    return [*parts, payload[start:]]


def _flag(place: int, count: int) -> int:
    if count == 1:
        return WHOLE
    return FIRST if place == 0 else LAST if place == count - 1 else MIDDLE


def _payloads(shard: BinaryIO, path: Path) -> Iterator[bytes]:
    parts: list[bytes] = []
    while head := shard.read(HEAD.size):
        if len(head) < HEAD.size:
            raise ShardDamagedError(f"{path} is cut off")
        magic, word = HEAD.unpack(head)
        flag, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
        if magic != MAGIC or flag not in ((MIDDLE, LAST) if parts else (WHOLE, FIRST)):
            raise ShardDamagedError(f"{path} holds something else than records")
        part = shard.read(length)
        if len(part) < length or len(shard.read(-length % 4)) < -length % 4:
            raise ShardDamagedError(f"{path} is cut off")
        parts.append(part)
        if flag in (WHOLE, LAST):
            yield MARK.join(parts)
            parts = []
    if parts:
        raise ShardDamagedError(f"{path} is cut off")
