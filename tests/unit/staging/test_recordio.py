"""RecordIO shards: their format, reading them, and errors for damaged files."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from staging.errors import StagingError
from staging.recordio import Record, read_shard, write_shards

MAGIC = bytes.fromhex("0a23d7ce")


def test_written_shard_has_the_bytes_of_the_recordio_format(tmp_path: Path) -> None:
    # WHEN
    (path,) = write_shards(tmp_path, [Record(index=258, label=3, image=b"abcde")], count=1)

    # THEN the file consists of the magic number, the length 24 + 5, the image header (0, label, two IDs), the image,
    # and zeros up to a multiple of 4 bytes
    header = struct.pack("<I", 0) + struct.pack("<f", 3.0) + struct.pack("<Q", 258) + struct.pack("<Q", 0)
    assert path.read_bytes() == MAGIC + struct.pack("<I", 29) + header + b"abcde" + bytes(3)


def test_records_are_divided_evenly_among_shards_named_after_the_split(tmp_path: Path) -> None:
    # GIVEN seven records, and a limit of three records in a shard
    folder = tmp_path / "validation"
    folder.mkdir()
    records = [Record(index, index % 3, bytes([index]) * index) for index in range(7)]

    # WHEN
    paths = write_shards(folder, iter(records), count=7, shard_records=3)

    # THEN
    assert [path.name for path in paths] == [f"validation-0000{number}.rec" for number in range(3)]
    assert [list(read_shard(path)) for path in paths] == [records[:2], records[2:4], records[4:]]


def test_no_shard_is_written_without_records(tmp_path: Path) -> None:
    assert write_shards(tmp_path, [], count=0) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("image", "flags"),
    [
        pytest.param(b"abcd" + MAGIC + b"efg", [1, 3], id="once"),
        pytest.param(MAGIC, [1, 3], id="nothing else"),
        pytest.param(MAGIC + b"abcd" + MAGIC + MAGIC, [1, 2, 2, 3], id="several times"),
        pytest.param(b"a" + MAGIC + b"bcd", [0], id="not at a multiple of four"),
        pytest.param(b"a" + MAGIC + b"bcd" + MAGIC, [1, 3], id="only the second at a multiple of four"),
    ],
)
def test_image_is_split_at_each_aligned_magic_number(tmp_path: Path, image: bytes, flags: list[int]) -> None:
    # WHEN
    (path,) = write_shards(tmp_path, [Record(1, 0, image), Record(2, 1, b"next")], count=2)

    # THEN the magic number is at a multiple of 4 bytes only where a part of a record starts
    words = memoryview(path.read_bytes()).cast("I")
    part_flags = [words[position + 1] >> 29 for position, word in enumerate(words) if word == 0xCED7230A]
    assert part_flags == [*flags, 0]
    assert [record.image for record in read_shard(path)] == [image, b"next"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda content: content[:-1], "is truncated", id="truncated in the padding"),
        pytest.param(lambda content: content[:36], "is truncated", id="truncated in an image"),
        pytest.param(lambda content: content[:5], "is truncated", id="truncated in a header"),
        pytest.param(lambda content: b"\x89PNG\r\n\x1a\n" + content, "not a RecordIO record", id="png"),
        pytest.param(lambda content: MAGIC + struct.pack("<I", 3 << 29), "not a RecordIO record", id="last part first"),
        pytest.param(lambda content: MAGIC + struct.pack("<I", 1 << 29), "is truncated", id="first part only"),
        pytest.param(lambda content: MAGIC + struct.pack("<I", 0), "without an image header", id="empty record"),
    ],
)
def test_error_for_a_damaged_shard_names_the_file_and_the_damage(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    # GIVEN
    (path,) = write_shards(tmp_path, [Record(1, 0, b"abcdef")], count=1)
    path.write_bytes(damage(path.read_bytes()))

    # WHEN / THEN
    with pytest.raises(StagingError, match=f"-00000.rec.*{message}"):
        list(read_shard(path))
