"""RecordIO shards give the same training examples as image files, and damaged shards are rejected."""

import re
from pathlib import Path

import numpy as np
import pytest

from staging.recordio import Record, write_shards
from tests.unit.container.jobs import draw_split, pack, record
from training.container.classifier.data import read_channel
from training.container.classifier.errors import InputError
from training.container.classifier.recordio import read_records


def test_shards_give_the_same_examples_as_image_files(tmp_path: Path) -> None:
    # GIVEN the examples of a folder of image files
    draw_split(tmp_path / "train", 7, seed=1)
    channels = {"SM_CHANNEL_TRAIN": str(tmp_path / "train"), "SM_CHANNEL_TRAIN_LST": str(tmp_path / "train_lst")}
    images = read_channel("train", classes=2, size=32, environment=channels)

    # WHEN the images are packed into a shard
    pack(tmp_path / "train")
    shards = read_channel("train", classes=2, size=32, environment={"SM_CHANNEL_TRAIN": str(tmp_path / "train")})

    # THEN
    assert np.array_equal(shards.images, images.images)
    assert np.array_equal(shards.labels, images.labels)
    assert shards.names == tuple(str(index) for index in range(7))


def test_shard_is_read_even_if_images_contain_the_magic_number(tmp_path: Path) -> None:
    # GIVEN images that contain the number with which each record of a shard begins
    magic = bytes.fromhex("0a23d7ce")
    images = [b"a PNG", magic, b"abcd" + magic + b"efg" + magic * 2 + b"h", b"a" + magic]

    # WHEN
    (shard,) = write_shards(
        tmp_path, [Record(index, index % 2, image) for index, image in enumerate(images)], count=len(images)
    )

    # THEN
    assert list(read_records(shard)) == [(index, index % 2, image) for index, image in enumerate(images)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (record(3, 1, b"image")[:-4], "shard.rec is truncated"),
        (record(3, 1, b"image") + b"\x0a", "shard.rec is truncated"),
        (b"x" * 64, "shard.rec is not a RecordIO file of images"),
        (record(3, 1, b"image", flag=1), "shard.rec is truncated"),
        (record(3, 1, b"image", flag=3), "shard.rec is not a RecordIO file of images"),
        (record(3, 1.5, b"image"), "shard.rec, record 3: the label must be one whole number"),
        (record(3, 1, b"image", labels=2), "shard.rec, record 3: the label must be one whole number"),
    ],
    ids=[
        "truncated record",
        "truncated frame",
        "not recordio",
        "first part only",
        "last part first",
        "fractional label",
        "several labels",
    ],
)
def test_invalid_shard_is_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    # GIVEN
    path = tmp_path / "shard.rec"
    path.write_bytes(content)

    # WHEN / THEN
    with pytest.raises(InputError, match=re.escape(reason)):
        list(read_records(path))
