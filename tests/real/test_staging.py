"""The real rows: read, transformed and counted."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from staging import transform
from staging.archive import Archive, read_archive
from staging.names import COARSE_NAMES, FINE_NAMES

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def archive() -> Archive:
    """The archive that CIFAR_ARCHIVE names."""
    path = os.environ.get("CIFAR_ARCHIVE")
    if not path:
        pytest.skip("CIFAR_ARCHIVE names no archive of CIFAR-100")
    return read_archive(Path(path))


def test_the_names_in_the_code_are_the_official_ones(archive: Archive) -> None:
    assert archive.meta.fine_names == FINE_NAMES
    assert archive.meta.coarse_names == COARSE_NAMES


def test_every_row_becomes_one_image_of_its_class(archive: Archive, tmp_path: Path) -> None:
    # GIVEN
    classes = ("bicycle", "motorcycle")
    labels = [FINE_NAMES.index(name) for name in classes]

    # WHEN
    dataset = transform(archive, classes=classes, directory=tmp_path)

    # THEN
    counts = {split: Counter(picture.number for picture in pictures) for split, pictures in dataset.splits.items()}
    assert counts["train"] == {0: 450, 1: 450}
    assert counts["validation"] == {0: 50, 1: 50}
    for number, label in enumerate(labels):
        assert counts["test"][number] == np.sum(archive.test.fine_labels == label)

    # AND `bike_s_*`, which occurs in both classes, is labelled by its row
    test = [row for row, label in enumerate(archive.test.fine_labels) if label in labels]
    for picture, row in zip(dataset.splits["test"], test, strict=True):
        with Image.open(tmp_path / "test" / picture.name) as image:
            flat = np.asarray(image).transpose(2, 0, 1).reshape(-1)
        assert np.array_equal(flat, archive.test.data[row])
        assert labels[picture.number] == archive.test.fine_labels[row]
    ambiguous = {
        picture.number
        for pictures in dataset.splits.values()
        for picture in pictures
        if picture.name.startswith("bike_s_")
    }
    assert ambiguous == {0, 1}
