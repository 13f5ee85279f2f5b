"""From rows to images: right labels, right splits, the same bytes each time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from staging.archive import Archive, read_archive
from staging.classes import UnknownClassError
from staging.errors import StagingError
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.recordio import read_shard
from staging.transform import Dataset, Format, InvalidFractionError, TooFewRowsError, safe_name, transform
from tests.unit.staging.archives import BICYCLE, BUS, MOTORCYCLE, rows, write_archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """30 bicycles, 20 motorcycles and 10 buses to train with, mixed; 4, 3 and 2 to test with."""
    train = [BICYCLE, MOTORCYCLE, BICYCLE, MOTORCYCLE, BICYCLE, BUS] * 10
    test = [MOTORCYCLE, BICYCLE, BUS] * 2 + [MOTORCYCLE, BICYCLE, BICYCLE]
    path = write_archive(
        tmp_path / "archive.tar.gz",
        train=rows(train, [f"bike_s_{number:06d}.png" for number in range(60)]),
        test=rows(test, [f"test_s_{number:06d}.png" for number in range(9)]),
    )
    return read_archive(path)


def listed(dataset: Dataset, split: str) -> list[list[str]]:
    lines = (dataset.directory / f"{split}.lst").read_text().splitlines()
    return [line.split("\t") for line in lines]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (32, 32))
        return np.asarray(image)


@pytest.mark.parametrize(
    "classes",
    [("bicycle", "motorcycle"), ("motorcycle", "bicycle"), ("bus", "motorcycle", "bicycle")],
    ids="-".join,
)
def test_every_image_has_its_rows_pixels_and_its_classes_number(
    archive: Archive, tmp_path: Path, classes: Sequence[str]
) -> None:
    # WHEN
    dataset = transform(archive, classes=classes, directory=tmp_path / "data")

    # THEN each listed file holds a row of that class; a row's pixels all have the row's number as value
    for split, source in (("train", archive.train), ("validation", archive.train), ("test", archive.test)):
        lines = listed(dataset, split)
        assert [line[0] for line in lines] == [str(number) for number in range(len(lines))]
        for _, number, name in lines:
            row = int(pixels(dataset.directory / split / name)[0, 0, 0])
            assert FINE_NAMES[source.fine_labels[row]] == classes[int(number)]
            assert source.filenames[row] == name


def test_colours_and_places_are_kept(tmp_path: Path) -> None:
    # GIVEN a row whose red grows along a line, and whose green down the lines
    content = rows([BICYCLE, MOTORCYCLE] * 2)
    steps = np.arange(32, dtype=np.uint8)
    content[b"data"][0] = np.concatenate([np.tile(steps, 32), np.repeat(steps, 32), np.full(1024, 7, np.uint8)])
    archive = read_archive(write_archive(tmp_path / "a.tar.gz", test=content))

    # WHEN
    dataset = transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path / "data")

    # THEN
    image = pixels(dataset.directory / "test" / "image_s_000000-2.png")
    assert image[3, 20].tolist() == [20, 3, 7]


def test_the_validation_split_is_a_share_of_each_classs_training_rows(archive: Archive, tmp_path: Path) -> None:
    # WHEN
    dataset = transform(
        archive,
        classes=["bicycle", "motorcycle"],
        directory=tmp_path / "data",
        validation_fraction=0.2,
    )

    # THEN
    counts = {
        split: [sum(picture.number == number for picture in pictures) for number in (0, 1)]
        for split, pictures in dataset.splits.items()
    }
    assert counts == {"train": [24, 16], "validation": [6, 4], "test": [4, 3]}
    training, validation, test = ({picture.name for picture in dataset.splits[split]} for split in dataset.splits)
    assert training | validation == {
        name for name, label in zip(archive.train.filenames, archive.train.fine_labels, strict=True) if label != BUS
    }
    assert not training & validation
    assert test == {
        name for name, label in zip(archive.test.filenames, archive.test.fine_labels, strict=True) if label != BUS
    }


def test_the_seed_alone_chooses_the_validation_rows(archive: Archive, tmp_path: Path) -> None:
    def chosen(*classes: str, seed: int) -> set[str]:
        dataset = transform(archive, classes=classes, directory=tmp_path / "data", seed=seed)
        return {picture.name for picture in dataset.splits["validation"]}

    # THEN the same seed chooses the same rows, whatever other classes there are
    first = chosen("bicycle", "motorcycle", seed=1)
    assert first == chosen("motorcycle", "bicycle", seed=1)
    assert first < chosen("bus", "bicycle", "motorcycle", seed=1)
    assert first != chosen("bicycle", "motorcycle", seed=2)


def test_the_same_input_gives_the_same_bytes(archive: Archive, tmp_path: Path) -> None:
    # WHEN
    first, second = (transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path / name) for name in "ab")

    # THEN
    assert first.files().keys() == second.files().keys()
    for key, path in first.files().items():
        assert path.read_bytes() == second.files()[key].read_bytes()


def test_images_of_an_earlier_call_are_gone_and_other_files_stay(archive: Archive, tmp_path: Path) -> None:
    # GIVEN
    directory = tmp_path / "data"
    transform(archive, classes=["bus", "motorcycle"], directory=directory)
    (directory / "notes.txt").write_text("mine")

    # WHEN
    dataset = transform(archive, classes=["bicycle", "motorcycle"], directory=directory)

    # THEN
    there = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert there == {*dataset.files(), "notes.txt"}


def test_a_file_name_that_two_classes_share_keeps_both_rows_and_labels(tmp_path: Path) -> None:
    # GIVEN `bike_s_000001.png` as a bicycle, twice as a motorcycle, and again among the test rows
    name = "bike_s_000001.png"
    path = write_archive(
        tmp_path / "a.tar.gz",
        train=rows([BICYCLE, MOTORCYCLE, MOTORCYCLE, BICYCLE], [name, name, name.upper(), "cycle_s_1.png"]),
        test=rows([MOTORCYCLE, BICYCLE], [name, "minibike_s_1.png"]),
    )

    # WHEN
    dataset = transform(read_archive(path), classes=["bicycle", "motorcycle"], directory=tmp_path / "data")

    # THEN six files, none of which overwrites another, each with its own row's class
    names = [picture.name.lower() for pictures in dataset.splits.values() for picture in pictures]
    assert len(names) == len(set(names)) == 6
    for split in ("train", "validation"):
        for picture in dataset.splits[split]:
            row = int(pixels(dataset.directory / split / picture.name)[0, 0, 0])
            assert picture.number == [0, 1, 1, 0][row]
    assert [picture.number for picture in dataset.splits["test"]] == [1, 0]


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
    ("settings", "error"),
    [
        ({"classes": ["bicycle", "apple"]}, TooFewRowsError),
        ({"classes": ["bicycle", "bus"], "validation_fraction": 0.0}, InvalidFractionError),
        ({"classes": ["bicycle", "bus"], "validation_fraction": 1.0}, InvalidFractionError),
        ({"classes": ["bicycle", "buss"]}, UnknownClassError),
    ],
    ids=["no-such-rows", "none", "all", "no-such-class"],
)
def test_what_cannot_be_split_is_refused_before_anything_is_written(
    archive: Archive, tmp_path: Path, settings: dict[str, object], error: type[StagingError]
) -> None:
    # WHEN
    with pytest.raises(error):
        transform(archive, directory=tmp_path / "data", **settings)  # type: ignore[arg-type]

    # THEN
    assert not (tmp_path / "data").exists()


def test_a_class_without_test_rows_is_named(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar.gz", test=rows([BICYCLE]))
    with pytest.raises(TooFewRowsError, match="lacks test rows of motorcycle"):
        transform(read_archive(path), classes=["bicycle", "motorcycle"], directory=tmp_path / "data")


def test_all_classes_that_an_archive_lacks_are_named(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(TooFewRowsError, match="lacks training rows of apple, tractor: 2 of each"):
        transform(archive, classes=["bicycle", "apple", "bus", "tractor"], directory=tmp_path / "data")


@pytest.mark.parametrize("kind", ["fine", "coarse"])
def test_all_classes_can_be_told_apart(tmp_path: Path, kind: str) -> None:
    # GIVEN rows of all hundred classes, whose coarse label is another way of counting
    names = FINE_NAMES if kind == "fine" else COARSE_NAMES
    content = rows(list(range(100)) * 2)
    content[b"coarse_labels"] = [label % 20 for label in content[b"fine_labels"]]
    archive = read_archive(write_archive(tmp_path / "a.tar.gz", train=content, test=content))

    # WHEN they are numbered the other way around
    dataset = transform(archive, classes=names[::-1], directory=tmp_path / "data")

    # THEN
    labels = archive.test.labels("fine" if kind == "fine" else "coarse")
    numbers = [picture.number for picture in dataset.splits["test"]]
    assert numbers == [len(names) - 1 - label for label in labels]
    assert len(dataset.splits["train"]) + len(dataset.splits["validation"]) == 200


def test_shards_hold_the_same_rows_in_the_same_order_as_images(archive: Archive, tmp_path: Path) -> None:
    # GIVEN
    classes = ["bus", "motorcycle", "bicycle"]
    images = transform(archive, classes=classes, directory=tmp_path / "images")

    # WHEN
    shards = transform(archive, classes=classes, directory=tmp_path / "shards", data_format="recordio")

    # THEN
    assert shards.splits == images.splits
    for split in ("train", "validation"):
        records = list(read_shard(tmp_path / "shards" / split / f"{split}-00000.rec"))
        lines = listed(images, split)
        assert [[str(each.row), str(each.number)] for each in records] == [line[:2] for line in lines]
        files = [images.directory / split / line[2] for line in lines]
        assert [each.image for each in records] == [path.read_bytes() for path in files]

    # AND the test split is the same
    test = {key for key in images.files() if key.startswith("test")}
    assert set(shards.files()) == {"train/train-00000.rec", "validation/validation-00000.rec", *test}


@pytest.mark.parametrize("forms", [("images", "recordio"), ("recordio", "images")], ids="-then-".join)
def test_one_form_leaves_nothing_of_the_other(archive: Archive, tmp_path: Path, forms: tuple[Format, Format]) -> None:
    # WHEN
    for data_format in forms:
        dataset = transform(archive, classes=["bus", "bicycle"], directory=tmp_path / "data", data_format=data_format)

    # THEN
    there = {path.relative_to(dataset.directory).as_posix() for path in dataset.directory.rglob("*") if path.is_file()}
    assert there == set(dataset.files())


def test_other_classes_rows_can_be_had_to_learn_from(archive: Archive, tmp_path: Path) -> None:
    # WHEN
    dataset = transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path, others=True)

    # THEN every training row is in one place alone, and the others' classes count from 0
    shards = [key for key in dataset.keys if key.startswith("pretrain/")]
    records = [record for key in shards for record in read_shard(tmp_path / key)]
    chosen = len(dataset.splits["train"]) + len(dataset.splits["validation"])
    assert len(records) + chosen == len(archive.train.labels("fine"))
    assert sorted({record.number for record in records}) == list(range(len({record.number for record in records})))

    # AND they are gone once they are no longer wanted
    again = transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path)
    assert not any(key.startswith("pretrain/") for key in again.keys)
    assert not list((tmp_path / "pretrain").iterdir())


def test_an_archive_without_other_classes_is_refused(tmp_path: Path) -> None:
    # GIVEN
    archive = read_archive(write_archive(tmp_path / "archive.tar.gz"))

    # WHEN / THEN
    with pytest.raises(TooFewRowsError, match="no training rows of other classes"):
        transform(archive, classes=["bicycle", "motorcycle"], directory=tmp_path / "data", others=True)
    assert not (tmp_path / "data").exists()
