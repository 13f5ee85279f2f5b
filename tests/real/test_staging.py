"""The official CIFAR-100 archive can be staged."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from staging.archive import Archive, read_archive
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.transform import transform

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def archive() -> Archive:
    """The archive at the path in the environment variable CIFAR_ARCHIVE."""
    path = os.environ.get("CIFAR_ARCHIVE")
    if not path:
        pytest.skip("CIFAR_ARCHIVE is not set to an archive of CIFAR-100")
    return read_archive(Path(path))


def test_class_names_in_the_code_are_the_archives_class_names(archive: Archive) -> None:
    assert archive.meta.fine_names == FINE_NAMES
    assert archive.meta.coarse_names == COARSE_NAMES


def test_every_image_is_staged_with_its_label(archive: Archive, tmp_path: Path) -> None:
    # GIVEN
    classes = ("bicycle", "motorcycle")
    labels = [FINE_NAMES.index(name) for name in classes]

    # WHEN
    dataset = transform(archive, classes=classes, directory=tmp_path)

    # THEN
    counts = {split: Counter(image.label for image in images) for split, images in dataset.splits.items()}
    assert counts["train"] == {0: 450, 1: 450}
    assert counts["validation"] == {0: 50, 1: 50}
    for number, label in enumerate(labels):
        assert counts["test"][number] == np.sum(archive.test.fine_labels == label)

    # AND each test image has its pixels and its label from the archive, although both classes have names `bike_s_*`
    positions = [position for position, label in enumerate(archive.test.fine_labels) if label in labels]
    for image, position in zip(dataset.splits["test"], positions, strict=True):
        with Image.open(tmp_path / "test" / image.name) as png:
            pixels = np.asarray(png).transpose(2, 0, 1).reshape(-1)
        assert np.array_equal(pixels, archive.test.data[position])
        assert labels[image.label] == archive.test.fine_labels[position]
    ambiguous = {
        image.label for images in dataset.splits.values() for image in images if image.name.startswith("bike_s_")
    }
    assert ambiguous == {0, 1}
