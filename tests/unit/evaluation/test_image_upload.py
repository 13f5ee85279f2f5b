"""Local image files are checked and uploaded before their classification."""

# ruff: noqa: N803  boto3's argument names
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evaluation.image_upload import ImageFileError, read_image_file, upload_image
from tests.unit.evaluation.runs import make_png
from training.container.classifier.images import MAX_BYTES


def write_gif(path: Path) -> None:
    """Write a GIF file."""
    Image.new("RGB", (8, 8)).save(path, format="GIF")


def write_large_png(path: Path) -> None:
    """Write a PNG file with few bytes and too many pixels."""
    Image.new("1", (5000, 5000)).save(path, format="PNG")


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        pytest.param(lambda path: None, "cannot be read: No such file", id="missing"),
        pytest.param(Path.mkdir, "must be a file", id="directory"),
        pytest.param(os.mkfifo, "must be a file", id="pipe"),
        pytest.param(Path.touch, "the image is empty", id="empty"),
        pytest.param(lambda path: path.write_text("text"), "cannot be decoded as PNG or JPEG", id="text"),
        pytest.param(write_gif, "cannot be decoded as PNG or JPEG", id="GIF"),
        pytest.param(lambda path: path.write_bytes(make_png()[:-40]), "cannot be decoded", id="truncated"),
        pytest.param(write_large_png, "5000 x 5000 pixels; at most 16777216", id="too many pixels"),
        pytest.param(lambda path: path.write_bytes(b"x" * (MAX_BYTES + 1)), "5,242,880 bytes", id="too many bytes"),
    ],
)
def test_error_names_a_file_that_cannot_be_classified(
    tmp_path: Path, create: Callable[[Path], Any], reason: str
) -> None:
    # GIVEN
    path = tmp_path / "photo.jpg"
    create(path)

    # WHEN / THEN
    with pytest.raises(ImageFileError, match=reason) as raised:
        read_image_file(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_path_with_a_null_character_is_an_error() -> None:
    with pytest.raises(ImageFileError, match="cannot be read"):
        read_image_file(Path("photo\0.jpg"))


def test_each_upload_has_a_new_key_that_ends_with_the_file_name_in_valid_utf_8() -> None:
    # GIVEN
    objects: dict[str, bytes] = {}

    class FakeS3:
        def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
            objects[Key] = Body

    # WHEN
    names = ["a photo +%#é.jpg", "a photo +%#é.jpg", os.fsdecode(b"\xff.jpg")]
    keys = [upload_image(b"x", name, bucket="b", prefix="uploads", s3=FakeS3()) for name in names]

    # THEN
    assert len(objects) == 3
    assert [key.split("/")[::2] for key in keys] == [["uploads", names[0]], ["uploads", names[1]], ["uploads", "?.jpg"]]
