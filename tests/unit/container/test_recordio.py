"""Shards: what they hold is what single images hold, and what is none is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from data import read_channel
from errors import InputError
from recordio import read_records

from staging.recordio import Record, write_shards
from tests.unit.container.jobs import draw_split, pack, record


def test_a_channel_of_shards_is_the_channel_of_images(tmp_path: Path) -> None:
    # GIVEN
    draw_split(tmp_path / "train", 7, seed=1)
    channels = {"SM_CHANNEL_TRAIN": str(tmp_path / "train"), "SM_CHANNEL_TRAIN_LST": str(tmp_path / "train_lst")}
    images = read_channel("train", classes=2, size=32, environment=channels)

    # WHEN
    pack(tmp_path / "train")
    shards = read_channel("train", classes=2, size=32, environment={"SM_CHANNEL_TRAIN": str(tmp_path / "train")})

    # THEN
    assert np.array_equal(shards.images, images.images)
    assert np.array_equal(shards.labels, images.labels)
    assert shards.names == tuple(str(row) for row in range(7))


def test_what_staging_writes_is_read_also_where_an_image_holds_the_magic_number(tmp_path: Path) -> None:
    # GIVEN
    magic = bytes.fromhex("0a23d7ce")
    images = [b"a PNG", magic, b"abcd" + magic + b"efg" + magic * 2 + b"h", b"a" + magic]

    # WHEN
    (shard,) = write_shards(
        tmp_path, [Record(row, row % 2, image) for row, image in enumerate(images)], count=len(images)
    )

    # THEN
    assert list(read_records(shard)) == [(row, row % 2, image) for row, image in enumerate(images)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (record(3, 1, b"image")[:-4], "shard.rec is cut short"),
        (record(3, 1, b"image") + b"\x0a", "shard.rec is cut short"),
        (b"x" * 64, "shard.rec is no RecordIO of images"),
        (record(3, 1, b"image", flag=1), "shard.rec is cut short"),
        (record(3, 1, b"image", flag=3), "shard.rec is no RecordIO of images"),
        (record(3, 1.5, b"image"), "shard.rec, row 3: must have one class"),
        (record(3, 1, b"image", labels=2), "shard.rec, row 3: must have one class"),
    ],
    ids=[
        "cut record",
        "cut frame",
        "other content",
        "first part alone",
        "last part first",
        "no whole class",
        "several classes",
    ],
)
def test_what_is_no_shard_of_images_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    # GIVEN
    path = tmp_path / "shard.rec"
    path.write_bytes(content)

    # WHEN / THEN
    with pytest.raises(InputError, match=re.escape(reason)):
        list(read_records(path))
