"""Channels of the image classification algorithm: reading, and error messages for missing or invalid data."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sagelocal.containers.image_classification import images
from sagelocal.containers.image_classification.channels import check, check_count, read
from sagelocal.containers.image_classification.errors import CustomerError, UnsupportedError

from .examples import (
    IMAGE_CHANNELS,
    RECORD_CHANNELS,
    channel,
    hyperparameters,
    image_record,
    png,
    write,
    write_images,
    write_list,
)


@pytest.mark.parametrize("content_type", ["application/x-image", "image/png", "image/jpeg"])
def test_image_channels_with_lists_are_accepted(content_type: str) -> None:
    assert check({name: channel(content_type) for name in IMAGE_CHANNELS}) is False


def test_recordio_channels_without_lists_are_accepted() -> None:
    assert check(RECORD_CHANNELS) is True


@pytest.mark.parametrize("name", IMAGE_CHANNELS)
def test_missing_channel_is_refused(name: str) -> None:
    # GIVEN
    config = {key: value for key, value in IMAGE_CHANNELS.items() if key != name}
    # WHEN / THEN
    with pytest.raises(CustomerError, match=f"Channel '{name}' is missing"):
        check(config)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"test": channel()}, "Channel 'test' is unknown"),
        ({"train": channel(None)}, "Channel 'train' has no content type"),
        ({"train_lst": channel(None)}, "Channel 'train_lst' has no content type"),
        ({"train": channel("text/csv")}, "Channel 'train' has content type 'text/csv'"),
        (
            {"validation": channel("application/x-recordio")},
            "Channels train and validation have different content types",
        ),
    ],
    ids=["unknown", "missing type", "missing type of a list", "wrong type", "different types"],
)
def test_channel_with_an_unknown_name_or_wrong_content_type_is_refused(
    changed: dict[str, dict[str, str]], reason: str
) -> None:
    with pytest.raises(CustomerError, match=reason):
        check({**IMAGE_CHANNELS, **changed})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"train": channel("application/x-recordio", "Pipe")},
            r"emulator's .* does not support Pipe mode \(use File mode for channel 'train'\)",
        ),
        ({"model": channel("application/x-sagemaker-model")}, "emulator's .* does not support channel 'model'"),
    ],
    ids=["pipe", "model"],
)
def test_unsupported_channel_is_refused(changed: dict[str, dict[str, str]], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        check({**RECORD_CHANNELS, **changed})


def test_images_and_classes_are_read_in_the_order_of_the_list(tmp_path: Path) -> None:
    # GIVEN a list with a class as a decimal number, as im2rec writes it, and a path with a subfolder
    write(tmp_path / "train" / "deep" / "b.png", png(1))
    write(tmp_path / "train" / "a.png", png(0))
    write_list(tmp_path, "train", ["5\t1.000000\tdeep/b.png", "1000\t0\ta.png"])
    # WHEN
    split = read(tmp_path, "train", hyperparameters(), packed=False)
    # THEN
    assert split.labels.tolist() == [1, 0]
    assert [image[0, 0].tolist() for image in split.images] == [[40, 200, 40], [200, 40, 40]]


def test_channel_must_contain_exactly_one_recordio_file(tmp_path: Path) -> None:
    # GIVEN
    write(tmp_path / "train" / "train-00000.rec", image_record(0, png(0)) + image_record(1, png(1)))
    # WHEN
    split = read(tmp_path, "train", hyperparameters(), packed=True)
    # THEN
    assert split.labels.tolist() == [0, 1]
    assert [image[0, 0].argmax() for image in split.images] == [0, 1]

    # WHEN the channel contains a second file, THEN it is refused
    write(tmp_path / "train" / "train-00001.rec", image_record(1, png(1)))
    with pytest.raises(CustomerError, match=r"The train channel must contain one \.rec file \(found 2\)"):
        read(tmp_path, "train", hyperparameters(), packed=True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0 0.png", "line 1 must be an index, a class and a path, separated by tabs"),
        ("0\t0", "line 1 must be an index"),
        ("0\t0\t", "line 1 must be an index"),
        ("0\tbicycle\t0.png", "line 1 must be an index"),
        ("x\t0\t0.png", "line 1 must be an index"),
        ("0\t-1\t0.png", "line 1 has class -1"),
        ("0\t0.5\t0.png", "line 1 has class 0.5"),
        ("0\t2\t0.png", r"0\.png in the train channel has class 2, but num_classes 2 allows 0 to 1"),
        ("0\t0\t1\t0.png", "line 1 has 2 labels: more than one requires multi_label=1"),
        ("0\t0\tmissing.png", r"line 1 names missing\.png, which is not in the train channel"),
        ("0\t0\t../validation/0.png", "which is outside the train channel"),
        ("0\t0\ta\0.png", r"line 1 names 'a\\x00\.png', which is not a valid path"),
        (f"0\t0\t{'a' * 300}.png", "line 1 names 'aaa.*, which is not a valid path"),
        ("0\t0\t0.png\n0\t1\t1.png", "line 2 repeats index 0 of an earlier line"),
    ],
    ids=lambda value: value.replace("\t", " ").replace("\n", " ") if "\t" in value or value[0].isdigit() else "",
)
def test_list_with_an_invalid_line_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    # GIVEN
    write_images(tmp_path, "train", 2)
    write_images(tmp_path, "validation", 2)
    write_list(tmp_path, "train", [line])
    # WHEN / THEN
    with pytest.raises(CustomerError, match=reason):
        read(tmp_path, "train", hyperparameters(), packed=False)


def _delete_list(data: Path) -> None:
    (data / "train_lst" / "train.lst").unlink()


def _add_second_list(data: Path) -> None:
    write(data / "train_lst" / "other.lst", b"")


def _write_empty_list(data: Path) -> None:
    write_list(data, "train", [])


def _delete_images(data: Path) -> None:
    for path in (data / "train").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_delete_list, r"train_lst channel must contain one \.lst file \(found 0\)"),
        (_add_second_list, r"must contain one \.lst file \(found 2\)"),
        (_write_empty_list, r"Empty \.lst file in train_lst channel"),
        (_delete_images, "No image in train channel"),
    ],
)
def test_incomplete_image_channel_is_refused(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    # GIVEN
    write_images(tmp_path, "train", 2)
    damage(tmp_path)
    # WHEN / THEN
    with pytest.raises(CustomerError, match=reason):
        read(tmp_path, "train", hyperparameters(), packed=False)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("train.txt", b"x", r"No \.rec file in train channel"),
        ("train.rec", b"", r"Unable to start training\. Empty \.rec file in train channel\."),
        ("train.rec", b"not records", r"Invalid \.rec file train\.rec in the train channel"),
        ("train.rec", image_record(2, png(0)), r"record 0 of train\.rec in the train channel has class 2"),
        ("train.rec", image_record(0, b"not an image"), r"record 0 of train\.rec in the train channel is broken"),
    ],
    ids=["none", "empty", "broken", "class", "image"],
)
def test_invalid_recordio_channel_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    # GIVEN
    write(tmp_path / "train" / name, content)
    # WHEN / THEN
    with pytest.raises(CustomerError, match=reason):
        read(tmp_path, "train", hyperparameters(), packed=True)


def png_with_late_profile() -> bytes:
    """Return a PNG image whose color profile is empty and follows the pixels, so that Pillow 13 raises IndexError."""
    end = png(0)[-12:]  # the chunk IEND
    empty = struct.pack(">I", 0) + b"iCCP" + struct.pack(">I", zlib.crc32(b"iCCP"))
    return png(0).removesuffix(end) + empty + end


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", png(0)[:60], png_with_late_profile()], ids=["empty", "gif", "cut", "late profile"]
)
def test_broken_image_is_refused(tmp_path: Path, content: bytes) -> None:
    # GIVEN
    write_images(tmp_path, "train", 2)
    write(tmp_path / "train" / "1.png", content)
    # WHEN / THEN
    with pytest.raises(CustomerError, match=r"1\.png in the train channel is broken: not a (readable )?PNG or JPEG"):
        read(tmp_path, "train", hyperparameters(), packed=False)


def test_image_with_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(images, "MAX_PIXELS", 16 * 16)
    # WHEN / THEN
    assert images.decode(png(0)).size == (16, 16)
    with pytest.raises(images.ImageError, match="17 x 16 pixels exceed the limit of 256 pixels"):
        images.decode(png(0, width=17))


def test_image_smaller_than_image_shape_is_refused_unless_it_is_resized(tmp_path: Path) -> None:
    # GIVEN
    write(tmp_path / "train" / "0.png", png(0, width=30, height=15))
    write_list(tmp_path, "train", ["0\t0\t0.png"])
    # WHEN / THEN
    with pytest.raises(CustomerError, match=r"0\.png in the train channel has 30 x 15 pixels"):
        read(tmp_path, "train", hyperparameters(), packed=False)
    (image,) = read(tmp_path, "train", hyperparameters(resize="20"), packed=False).images
    assert image.shape == (20, 40, 3)


def test_wrong_num_training_samples_is_refused(tmp_path: Path) -> None:
    # GIVEN
    write_images(tmp_path, "train", 7)
    split = read(tmp_path, "train", hyperparameters(), packed=False)
    # WHEN / THEN
    check_count(split, hyperparameters(num_training_samples="7"))
    with pytest.raises(CustomerError, match="num_training_samples is 8, but the train channel has 7 images"):
        check_count(split, hyperparameters(num_training_samples="8"))
