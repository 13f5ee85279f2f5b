"""The synthetic sample has the official format, is reproducible, and is not trivial to classify."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from staging.archive import Archive, read_archive
from staging.errors import StagingError
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.synthetic.sample import draw_archive
from staging.synthetic.scene import draw_vehicle
from staging.synthetic.vehicles import VEHICLES


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A synthetic sample with 150 training images and 50 test images of each class."""
    return read_archive(draw_archive(tmp_path_factory.mktemp("sample") / "a.tar.gz", train=150, test=50))


def nearest_mean(train: NDArray[np.float64], labels: NDArray[np.bool_], test: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for each test image whether it is closer to the mean of the class True than to that of the class False.

    Parameters
    ----------
    train, test : features of the images, n x features
    labels : classes of the training images
    """
    means = [train[labels == label].mean(axis=0) for label in (False, True)]
    distances = np.stack([((test - mean) ** 2).sum(axis=1) for mean in means])
    nearer: NDArray[np.bool_] = distances[1] < distances[0]
    return nearer


def test_sample_has_the_format_of_the_official_archive(sample: Archive) -> None:
    assert sample.meta.fine_names == FINE_NAMES
    assert sample.meta.coarse_names == COARSE_NAMES
    assert [FINE_NAMES.index(name) for name in ("bicycle", "motorcycle")] == [8, 48]
    for examples, count in ((sample.train, 150), (sample.test, 50)):
        assert np.bincount(examples.fine_labels)[[8, 48]].tolist() == [count, count]
        assert set(examples.coarse_labels.tolist()) == {COARSE_NAMES.index("vehicles_1")}
        assert len(set(examples.filenames)) == 2 * count


def test_classes_are_in_random_order(sample: Archive) -> None:
    assert 0.3 < np.mean(sample.train.fine_labels[1:] != sample.train.fine_labels[:-1]) < 0.7


def test_all_images_are_different(sample: Archive) -> None:
    images = np.concatenate([sample.train.data, sample.test.data])
    assert len(np.unique(images, axis=0)) == len(images)


def test_mean_colour_hardly_distinguishes_the_classes(sample: Archive) -> None:
    # GIVEN the mean red, green and blue of each image
    train, test = (examples.data.reshape(-1, 3, 1024).mean(axis=2) for examples in (sample.train, sample.test))

    # WHEN
    predicted = nearest_mean(train, sample.train.fine_labels == 48, test)

    # THEN the accuracy is below 0.7; chance would be 0.5
    assert np.mean(predicted == (sample.test.fine_labels == 48)) < 0.7


@pytest.mark.parametrize("seed", [0, 7])
def test_same_seed_gives_the_same_bytes(tmp_path: Path, seed: int) -> None:
    first, second = (draw_archive(tmp_path / name, seed=seed, train=3, test=2).read_bytes() for name in ("a", "b"))
    different_seed = draw_archive(tmp_path / "c", seed=seed + 1, train=3, test=2).read_bytes()
    assert first == second
    assert first != different_seed
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}


@pytest.mark.parametrize("name", sorted(VEHICLES))
def test_every_class_can_be_drawn(name: str) -> None:
    for seed in range(20):
        image = draw_vehicle(name, np.random.default_rng(seed))
        assert image.shape == (32, 32, 3)
        assert image.dtype == np.uint8
        assert image.std() > 3


def test_images_of_a_class_do_not_depend_on_which_other_classes_are_drawn(tmp_path: Path) -> None:
    # WHEN
    two_classes = read_archive(draw_archive(tmp_path / "a", train=2, test=1))
    all_classes = read_archive(draw_archive(tmp_path / "b", classes=sorted(VEHICLES), train=2, test=1))

    # THEN
    assert {FINE_NAMES[label] for label in all_classes.train.fine_labels} == set(VEHICLES)
    assert {row.tobytes() for row in two_classes.train.data} < {row.tobytes() for row in all_classes.train.data}


def test_coarse_class_is_drawn_as_all_of_its_fine_classes(tmp_path: Path) -> None:
    # WHEN
    coarse = read_archive(draw_archive(tmp_path / "a", classes=["vehicles_1", "vehicles_2"], train=2, test=1))

    # THEN
    assert {FINE_NAMES[label] for label in coarse.train.fine_labels} == set(VEHICLES)
    assert {COARSE_NAMES[label] for label in coarse.train.coarse_labels} == {"vehicles_1", "vehicles_2"}


def test_class_that_cannot_be_drawn_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match="the synthetic sample has no class rocket"):
        draw_archive(tmp_path / "a", classes=["bicycle", "rocket"])
    assert list(tmp_path.iterdir()) == []
