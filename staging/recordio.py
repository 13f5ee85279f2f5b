"""RecordIO shards of images, as MXNet's im2rec writes them and SageMaker's image algorithms read them.

A shard is a sequence of little-endian records: a magic number, a word with a flag and a length, the payload, and zeros
that pad the record to a multiple of 4 bytes. The payload is an image header followed by the encoded image. If a payload
contains the magic number at a multiple of 4, the payload is split there into several records, and the number is left
out. A reader can therefore find the start of a record from any position. The flag says whether a record holds the whole
payload, or its first, a middle or its last part.

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
MAX_SHARD_RECORDS = 1000
MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
# The magic number, and a word with the flag in its upper 3 bits and the length in its lower 29 bits
RECORD_HEADER = struct.Struct("<II")
IMAGE_HEADER = struct.Struct("<IfQQ")  # 0, the label, the image's index, 0
LENGTH_BITS = 29
WHOLE, FIRST, MIDDLE, LAST = range(4)


@dataclass(frozen=True)
class Record:
    """One image: its index in the split, its class number, and its encoded bytes."""

    index: int
    label: int
    image: bytes


def write_shards(
    folder: Path, records: Iterable[Record], *, count: int, shard_records: int = MAX_SHARD_RECORDS
) -> list[Path]:
    """Write records as `<folder>/<folder's name>-00000.rec` and so on, one record in memory at a time.

    Shard sizes differ by at most one record, because several hosts that train together take only as many steps as the
    host with the fewest records.

    Parameters
    ----------
    count : number of records
    shard_records : maximum number of records in a shard

    Returns
    -------
    list
        Paths of the shards; empty if there are no records.

    Raises
    ------
    StagingError
        An image is too large for a record.
    """
    paths: list[Path] = []
    remaining = iter(records)
    shards = -(-count // shard_records)
    for number in range(shards):
        paths.append(folder / f"{folder.name}-{number:05d}{SUFFIX}")
        size = count * (number + 1) // shards - count * number // shards
        with paths[-1].open("wb") as shard:
            for record in islice(remaining, size):
                _write(shard, IMAGE_HEADER.pack(0, record.label, record.index, 0) + record.image)
    return paths


def read_shard(path: Path) -> Iterator[Record]:
    """Yield the records of a shard, one in memory at a time.

    Raises
    ------
    StagingError
        The shard is truncated or not RecordIO. The records before the damaged part are yielded before the error.
    """
    with path.open("rb") as shard:
        for payload in _payloads(shard, path):
            if len(payload) < IMAGE_HEADER.size:
                raise StagingError(f"{path} contains a record without an image header")
            _, label, index, _ = IMAGE_HEADER.unpack_from(payload)
            yield Record(index, int(label), payload[IMAGE_HEADER.size :])


def _write(shard: BinaryIO, payload: bytes) -> None:
    parts = _split(payload)
    for position, part in enumerate(parts):
        if len(part) >> LENGTH_BITS:
            raise StagingError(f"an image of {len(part)} bytes is too large for a RecordIO record")
        word = _flag(position, len(parts)) << LENGTH_BITS | len(part)
        shard.write(RECORD_HEADER.pack(MAGIC, word) + part + bytes(-len(part) % 4))


def _split(payload: bytes) -> list[bytes]:
    """Split the payload at each magic number whose position is a multiple of 4, and leave these numbers out."""
    parts = []
    start = found = 0
    while (found := payload.find(MAGIC_BYTES, found)) >= 0:
        if found % 4:
            found += 1
            continue
        parts.append(payload[start:found])
        start = found = found + len(MAGIC_BYTES)
    return [*parts, payload[start:]]


def _flag(position: int, count: int) -> int:
    if count == 1:
        return WHOLE
    return FIRST if position == 0 else LAST if position == count - 1 else MIDDLE


def _payloads(shard: BinaryIO, path: Path) -> Iterator[bytes]:
    parts: list[bytes] = []
    while header := shard.read(RECORD_HEADER.size):
        if len(header) < RECORD_HEADER.size:
            raise StagingError(f"{path} is truncated")
        magic, word = RECORD_HEADER.unpack(header)
        flag, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
        if magic != MAGIC or flag not in ((MIDDLE, LAST) if parts else (WHOLE, FIRST)):
            raise StagingError(f"{path} contains data that is not a RecordIO record")
        part = shard.read(length)
        if len(part) < length or len(shard.read(-length % 4)) < -length % 4:
            raise StagingError(f"{path} is truncated")
        parts.append(part)
        if flag in (WHOLE, LAST):
            yield MAGIC_BYTES.join(parts)
            parts = []
    if parts:
        raise StagingError(f"{path} is truncated")
