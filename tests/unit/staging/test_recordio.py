"""Shards: the bytes that the format asks for, read back as they were written, and damage told."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from staging.recordio import Record, ShardDamagedError, read_shard, write_shards

MAGIC = bytes.fromhex("0a23d7ce")


def test_a_shard_has_the_bytes_that_the_format_asks_for(tmp_path: Path) -> None:
    # WHEN
    (path,) = write_shards(tmp_path, [Record(row=258, number=3, image=b"abcde")], count=1)

    # THEN magic, length 24 + 5, image header of flag, label, id and second id, image, zeros up to a multiple of 4
    header = struct.pack("<I", 0) + struct.pack("<f", 3.0) + struct.pack("<Q", 258) + struct.pack("<Q", 0)
    assert path.read_bytes() == MAGIC + struct.pack("<I", 29) + header + b"abcde" + bytes(3)


def test_shards_are_as_even_as_can_be_and_named_by_their_split(tmp_path: Path) -> None:
    # GIVEN
    folder = tmp_path / "validation"
    folder.mkdir()
    records = [Record(row, row % 3, bytes([row]) * row) for row in range(7)]

    # WHEN
    paths = write_shards(folder, iter(records), count=7, rows=3)

    # THEN
    assert [path.name for path in paths] == [f"validation-0000{number}.rec" for number in range(3)]
    assert [list(read_shard(path)) for path in paths] == [records[:2], records[2:4], records[4:]]


def test_no_records_make_no_shard(tmp_path: Path) -> None:
    assert write_shards(tmp_path, [], count=0) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("image", "flags"),
    [
        pytest.param(b"abcd" + MAGIC + b"efg", [1, 3], id="once"),
        pytest.param(MAGIC, [1, 3], id="nothing else"),
        pytest.param(MAGIC + b"abcd" + MAGIC + MAGIC, [1, 2, 2, 3], id="again and again"),
        pytest.param(b"a" + MAGIC + b"bcd", [0], id="at no multiple of four"),
        pytest.param(b"a" + MAGIC + b"bcd" + MAGIC, [1, 3], id="first at none"),
    ],
)
def test_an_image_with_the_magic_number_in_it_is_parted_there(tmp_path: Path, image: bytes, flags: list[int]) -> None:
    # WHEN
    (path,) = write_shards(tmp_path, [Record(1, 0, image), Record(2, 1, b"next")], count=2)

    # THEN a reader that looks for the number at multiples of 4 finds parts of records, and nothing else
    words = memoryview(path.read_bytes()).cast("I")
    heads = [words[place + 1] >> 29 for place, word in enumerate(words) if word == 0xCED7230A]
    assert heads == [*flags, 0]
    assert [record.image for record in read_shard(path)] == [image, b"next"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda content: content[:-1], "cut off", id="cut in the padding"),
        pytest.param(lambda content: content[:36], "cut off", id="cut in an image"),
        pytest.param(lambda content: content[:5], "cut off", id="cut in a head"),
        pytest.param(lambda content: b"\x89PNG\r\n\x1a\n" + content, "something else", id="an image itself"),
        pytest.param(lambda content: MAGIC + struct.pack("<I", 3 << 29), "something else", id="a last part first"),
        pytest.param(lambda content: MAGIC + struct.pack("<I", 1 << 29), "cut off", id="a first part alone"),
        pytest.param(lambda content: MAGIC + struct.pack("<I", 0), "without an image", id="an empty record"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path: Path, damage: Callable[[bytes], bytes], words: str) -> None:
    # GIVEN
    (path,) = write_shards(tmp_path, [Record(1, 0, b"abcdef")], count=1)
    path.write_bytes(damage(path.read_bytes()))

    # WHEN / THEN
    with pytest.raises(ShardDamagedError, match=f"-00000.rec.*{words}"):
        list(read_shard(path))
