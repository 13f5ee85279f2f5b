"""Reading of RecordIO files in im2rec's format, and error messages for invalid files."""

import struct
from pathlib import Path

import pytest

from sagelocal.containers.image_classification.recordio import IMAGE_HEADER, MAGIC, LabelledImage, RecordError, read

from .examples import image_record, record


def test_records_are_read_in_order(tmp_path: Path) -> None:
    # GIVEN records whose lengths need each possible padding
    path = tmp_path / "train.rec"
    path.write_bytes(b"".join(image_record(row % 3, b"x" * row, row=row) for row in range(9)))
    # WHEN
    found = list(read(path))
    # THEN
    assert found == [LabelledImage((row % 3,), b"x" * row) for row in range(9)]


def test_record_with_several_labels_is_read(tmp_path: Path) -> None:
    # GIVEN
    path = tmp_path / "train.rec"
    path.write_bytes(record(IMAGE_HEADER.pack(2, 0, 7, 0) + struct.pack("<2f", 1, 4) + b"image"))
    # WHEN / THEN
    assert list(read(path)) == [LabelledImage((1, 4), b"image")]


def test_record_that_the_writer_has_split_is_joined(tmp_path: Path) -> None:
    # GIVEN a record that is split, because its content contains RecordIO's magic number, and another record after it
    content = IMAGE_HEADER.pack(0, 1, 0, 0) + b"1234" + MAGIC + b"5678" + MAGIC + b"90"
    pieces = content.split(MAGIC)
    assert len(pieces) == 3
    path = tmp_path / "train.rec"
    path.write_bytes(
        b"".join(
            MAGIC + struct.pack("<I", flag << 29 | len(piece)) + piece + bytes(-len(piece) % 4)
            for flag, piece in zip((1, 2, 3), pieces, strict=True)
        )
        + image_record(0, b"next")
    )
    # WHEN / THEN
    assert [each.content for each in read(path)] == [content[IMAGE_HEADER.size :], b"next"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n", "does not begin with RecordIO's magic number"),
        (image_record(0, b"image") + b"abc", "does not begin with RecordIO's magic number"),
        (image_record(0, b"image")[:-8], "ends within a record"),
        (MAGIC + struct.pack("<I", 1 << 29 | 4) + b"abcd", "ends within a record"),
        (MAGIC + struct.pack("<I", 2 << 29 | 4) + b"abcd", "not in order"),
        (MAGIC + struct.pack("<I", 1 << 29 | 4) + b"abcd" + image_record(0, b"image"), "not in order"),
        (MAGIC + struct.pack("<I", 7 << 29 | 4) + b"abcd", "not in order"),
        (record(b"short"), "too short to contain an image"),
        (record(IMAGE_HEADER.pack(9, 0, 0, 0)), "too short for its labels"),
    ],
    ids=[
        "png",
        "trailing bytes",
        "truncated",
        "first alone",
        "middle first",
        "whole after first",
        "flag",
        "short",
        "labels",
    ],
)
def test_invalid_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    # GIVEN
    path = tmp_path / "train.rec"
    path.write_bytes(content)
    # WHEN / THEN
    with pytest.raises(RecordError, match=reason):
        list(read(path))
