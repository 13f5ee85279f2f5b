"""Transforming an archive into images or shards gives correct labels and splits, and the same bytes each time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from staging.archive import Archive, read_archive
from staging.errors import StagingError
from staging.images import safe_name
from staging.manifest import Format
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.recordio import read_shard
from staging.transform import Dataset, transform
from tests.unit.staging.archives import BICYCLE, BUS, MOTORCYCLE, examples, write_archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An archive with three classes in mixed order.

    It has 30 bicycles, 20 motorcycles and 10 buses for training, and 4 bicycles, 3 motorcycles and 2 buses for testing.
    """
    train = [BICYCLE, MOTORCYCLE, BICYCLE, MOTORCYCLE, BICYCLE, BUS] * 10
    test = [MOTORCYCLE, BICYCLE, BUS] * 2 + [MOTORCYCLE, BICYCLE, BICYCLE]
    path = write_archive(
        tmp_path / "archive.tar.gz",
        train=examples(train, [f"bike_s_{number:06d}.png" for number in range(60)]),
        test=examples(test, [f"test_s_{number:06d}.png" for number in range(9)]),
    )
    return read_archive(path)


def read_lst(dataset: Dataset, split: str) -> list[list[str]]:
    """Return the lines of a split's .lst file, each of which has an index, a label and a file name."""
    lines = (dataset.directory / f"{split}.lst").read_text().splitlines()
    return [line.split("\t") for line in lines]


def read_pixels(path: Path) -> np.ndarray:
    """Return the pixels of an image, after checking its format and size."""
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (32, 32))
        return np.asarray(image)


@pytest.mark.parametrize(
    "classes",
    [("bicycle", "motorcycle"), ("motorcycle", "bicycle"), ("bus", "motorcycle", "bicycle")],
    ids="-".join,
)
def test_every_image_has_the_pixels_and_the_label_of_the_archive(
    archive: Archive, tmp_path: Path, classes: Sequence[str]
) -> None:
    # WHEN
    dataset = transform(archive, classes=classes, directory=tmp_path / "data")

    # THEN each listed file contains the archive's image with that label; pixel values are positions in the archive
    for split, source in (("train", archive.train), ("validation", archive.train), ("test", archive.test)):
        lines = read_lst(dataset, split)
        assert [line[0] for line in lines] == [str(number) for number in range(len(lines))]
        for _, number, name in lines:
            position = int(read_pixels(dataset.directory / split / name)[0, 0, 0])
            assert FINE_NAMES[source.fine_labels[position]] == classes[int(number)]
            assert source.filenames[position] == name


def test_colours_and_pixel_positions_are_kept(tmp_path: Path) -> None:
    # GIVEN an image whose red increases to the right, and whose green increases downwards
    content = examples([BICYCLE, MOTORCYCLE] * 2)
    steps = np.arange(32, dtype=np.uint8)
    content[b"data"][0] = np.concatenate([np.tile(steps, 32), np.repeat(steps, 32), np.full(1024, 7, np.uint8)])
    archive = read_archive(write_archive(tmp_path / "a.tar.gz", test=content))

    # WHEN
    dataset = transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path / "data")

    # THEN
    image = read_pixels(dataset.directory / "test" / "image_s_000000-2.png")
    assert image[3, 20].tolist() == [20, 3, 7]


def test_validation_split_is_a_fraction_of_each_class(archive: Archive, tmp_path: Path) -> None:
    # WHEN a fifth of the training images is used for validation
    dataset = transform(
        archive,
        classes=["bicycle", "motorcycle"],
        directory=tmp_path / "data",
        validation_fraction=0.2,
    )

    # THEN
    counts = {
        split: [sum(image.label == number for image in images) for number in (0, 1)]
        for split, images in dataset.splits.items()
    }
    assert counts == {"train": [24, 16], "validation": [6, 4], "test": [4, 3]}
    training, validation, test = ({image.name for image in dataset.splits[split]} for split in dataset.splits)
    assert training | validation == {
        name for name, label in zip(archive.train.filenames, archive.train.fine_labels, strict=True) if label != BUS
    }
    assert not training & validation
    assert test == {
        name for name, label in zip(archive.test.filenames, archive.test.fine_labels, strict=True) if label != BUS
    }


def test_validation_images_of_a_class_depend_only_on_the_seed(archive: Archive, tmp_path: Path) -> None:
    def validation_names(*classes: str, seed: int) -> set[str]:
        dataset = transform(archive, classes=classes, directory=tmp_path / "data", seed=seed)
        return {image.name for image in dataset.splits["validation"]}

    # THEN the validation images of a class depend neither on the order of the classes nor on their number
    first = validation_names("bicycle", "motorcycle", seed=1)
    assert first == validation_names("motorcycle", "bicycle", seed=1)
    assert first < validation_names("bus", "bicycle", "motorcycle", seed=1)
    assert first != validation_names("bicycle", "motorcycle", seed=2)


def test_transforming_an_archive_twice_gives_the_same_bytes(archive: Archive, tmp_path: Path) -> None:
    # WHEN
    first, second = (transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path / name) for name in "ab")

    # THEN
    assert first.files().keys() == second.files().keys()
    for key, path in first.files().items():
        assert path.read_bytes() == second.files()[key].read_bytes()


def test_images_of_an_earlier_call_are_deleted_but_other_files_are_kept(archive: Archive, tmp_path: Path) -> None:
    # GIVEN a folder with the images of different classes, and a file that staging did not write
    directory = tmp_path / "data"
    transform(archive, classes=["bus", "motorcycle"], directory=directory)
    (directory / "notes.txt").write_text("mine")

    # WHEN
    dataset = transform(archive, classes=["bicycle", "motorcycle"], directory=directory)

    # THEN
    written = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert written == {*dataset.files(), "notes.txt"}


def test_images_with_the_same_file_name_keep_their_labels(tmp_path: Path) -> None:
    # GIVEN the file name `bike_s_000001.png` for a bicycle, for two motorcycles, and for a test image
    name = "bike_s_000001.png"
    path = write_archive(
        tmp_path / "a.tar.gz",
        train=examples([BICYCLE, MOTORCYCLE, MOTORCYCLE, BICYCLE], [name, name, name.upper(), "cycle_s_1.png"]),
        test=examples([MOTORCYCLE, BICYCLE], [name, "minibike_s_1.png"]),
    )

    # WHEN
    dataset = transform(read_archive(path), classes=["bicycle", "motorcycle"], directory=tmp_path / "data")

    # THEN six files have different names, and each has the label of its image
    names = [image.name.lower() for images in dataset.splits.values() for image in images]
    assert len(names) == len(set(names)) == 6
    for split in ("train", "validation"):
        for image in dataset.splits[split]:
            position = int(read_pixels(dataset.directory / split / image.name)[0, 0, 0])
            assert image.label == [0, 1, 1, 0][position]
    assert [image.label for image in dataset.splits["test"]] == [1, 0]


@pytest.mark.parametrize(
    ("filename", "safe"),
    [
        ("bike_s_000021.png", "bike_s_000021.png"),
        ("../../etc/passwd", "passwd.png"),
        ("..\\..\\boot.ini", "boot.ini.png"),
        ("/abs/bike.png", "bike.png"),
        ("..", "image.png"),
        (".hidden.png", "hidden.png"),
        ("-rf.png", "rf.png"),
        ("live-live-bike.png", "bike.png"),
        ("a\tb\nc.png", "a_b_c.png"),
        ("vélo.png", "v_lo.png"),
        ("bike\0.png", "bike_.png"),
        ("a" * 500 + ".png", "a" * 100 + ".png"),
        (".png", "image.png"),
    ],
)
def test_file_names_are_made_safe(filename: str, safe: str) -> None:
    assert safe_name(filename) == safe


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": ["bicycle", "apple"]}, "too few of apple"),
        ({"classes": ["bicycle", "bus"], "validation_fraction": 0.0}, r"between 0 and 1 \(got 0\)"),
        ({"classes": ["bicycle", "bus"], "validation_fraction": 1.0}, r"between 0 and 1 \(got 1\)"),
        ({"classes": ["bicycle", "buss"]}, "no class 'buss'"),
    ],
    ids=["too-few-images", "no-validation-images", "no-training-images", "unknown-class"],
)
def test_invalid_arguments_are_rejected_before_anything_is_written(
    archive: Archive, tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    # WHEN
    with pytest.raises(StagingError, match=message):
        transform(archive, directory=tmp_path / "data", **arguments)  # type: ignore[arg-type]

    # THEN
    assert not (tmp_path / "data").exists()


def test_error_names_the_class_without_test_images(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar.gz", test=examples([BICYCLE]))
    with pytest.raises(StagingError, match="at least 1 test images of each class; too few of motorcycle"):
        transform(read_archive(path), classes=["bicycle", "motorcycle"], directory=tmp_path / "data")


def test_error_names_all_classes_with_too_few_training_images(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(StagingError, match="at least 2 training images of each class; too few of apple, tractor"):
        transform(archive, classes=["bicycle", "apple", "bus", "tractor"], directory=tmp_path / "data")


@pytest.mark.parametrize("kind", ["fine", "coarse"])
def test_all_fine_or_coarse_classes_can_be_staged(tmp_path: Path, kind: str) -> None:
    # GIVEN images of all hundred fine classes, with coarse labels
    names = FINE_NAMES if kind == "fine" else COARSE_NAMES
    content = examples(list(range(100)) * 2)
    content[b"coarse_labels"] = [label % 20 for label in content[b"fine_labels"]]
    archive = read_archive(write_archive(tmp_path / "a.tar.gz", train=content, test=content))

    # WHEN the classes are in reverse order
    dataset = transform(archive, classes=names[::-1], directory=tmp_path / "data")

    # THEN
    labels = archive.test.labels("fine" if kind == "fine" else "coarse")
    numbers = [image.label for image in dataset.splits["test"]]
    assert numbers == [len(names) - 1 - label for label in labels]
    assert len(dataset.splits["train"]) + len(dataset.splits["validation"]) == 200


def test_shards_contain_the_images_in_the_order_of_the_lst_file(archive: Archive, tmp_path: Path) -> None:
    # GIVEN
    classes = ["bus", "motorcycle", "bicycle"]
    images = transform(archive, classes=classes, directory=tmp_path / "images")

    # WHEN
    shards = transform(archive, classes=classes, directory=tmp_path / "shards", data_format="recordio")

    # THEN
    assert shards.splits == images.splits
    for split in ("train", "validation"):
        records = list(read_shard(tmp_path / "shards" / split / f"{split}-00000.rec"))
        lines = read_lst(images, split)
        assert [[str(each.index), str(each.label)] for each in records] == [line[:2] for line in lines]
        files = [images.directory / split / line[2] for line in lines]
        assert [each.image for each in records] == [path.read_bytes() for path in files]

    # AND the test split consists of single image files in both formats
    test_files = {key for key in images.files() if key.startswith("test")}
    assert set(shards.files()) == {"train/train-00000.rec", "validation/validation-00000.rec", *test_files}


@pytest.mark.parametrize("formats", [("images", "recordio"), ("recordio", "images")], ids="-then-".join)
def test_files_of_the_previous_format_are_deleted(
    archive: Archive, tmp_path: Path, formats: tuple[Format, Format]
) -> None:
    # WHEN an archive is transformed into one format, and then into the other
    for data_format in formats:
        dataset = transform(archive, classes=["bus", "bicycle"], directory=tmp_path / "data", data_format=data_format)

    # THEN
    written = {
        path.relative_to(dataset.directory).as_posix() for path in dataset.directory.rglob("*") if path.is_file()
    }
    assert written == set(dataset.files())


def test_images_of_other_classes_can_be_staged_for_pretraining(archive: Archive, tmp_path: Path) -> None:
    # WHEN
    dataset = transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path, other_classes=True)

    # THEN every training image of the archive is in exactly one split, and the other classes are numbered from 0
    shards = [key for key in dataset.keys if key.startswith("pretrain/")]
    records = [record for key in shards for record in read_shard(tmp_path / key)]
    configured = len(dataset.splits["train"]) + len(dataset.splits["validation"])
    assert len(records) + configured == len(archive.train.labels("fine"))
    assert sorted({record.label for record in records}) == list(range(len({record.label for record in records})))

    # AND a call without other classes deletes the shards for pretraining
    again = transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path)
    assert not any(key.startswith("pretrain/") for key in again.keys)
    assert not list((tmp_path / "pretrain").iterdir())


def test_pretraining_on_an_archive_without_other_classes_is_rejected(tmp_path: Path) -> None:
    # GIVEN an archive with only bicycles and motorcycles
    archive = read_archive(write_archive(tmp_path / "archive.tar.gz"))

    # WHEN / THEN
    with pytest.raises(StagingError, match=r"no training images of other classes than .* without PRETRAIN"):
        transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path / "data", other_classes=True)
    assert not (tmp_path / "data").exists()
