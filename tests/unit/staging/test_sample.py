"""The drawn sample: the official format, the same each time, and a task worth the name."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from staging.archive import Archive, read_archive
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.synthetic.sample import NotDrawnError, draw_archive
from staging.synthetic.scene import draw_vehicle
from staging.synthetic.vehicles import DRAWN


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A small one."""
    return read_archive(draw_archive(tmp_path_factory.mktemp("sample") / "a.tar.gz", train=150, test=50))


def nearest_mean(train: NDArray[np.float64], labels: NDArray[np.bool_], test: NDArray[np.float64]) -> NDArray[np.bool_]:
    """What the nearest class mean says of the test rows."""
    means = [train[labels == label].mean(axis=0) for label in (False, True)]
    distances = np.stack([((test - mean) ** 2).sum(axis=1) for mean in means])
    nearer: NDArray[np.bool_] = distances[1] < distances[0]
    return nearer


def test_it_is_in_the_official_archives_format(sample: Archive) -> None:
    assert sample.meta.fine_names == FINE_NAMES
    assert sample.meta.coarse_names == COARSE_NAMES
    assert [FINE_NAMES.index(name) for name in ("bicycle", "motorcycle")] == [8, 48]
    for rows, count in ((sample.train, 150), (sample.test, 50)):
        assert np.bincount(rows.fine_labels)[[8, 48]].tolist() == [count, count]
        assert set(rows.coarse_labels.tolist()) == {COARSE_NAMES.index("vehicles_1")}
        assert len(set(rows.filenames)) == 2 * count


def test_the_classes_are_mixed(sample: Archive) -> None:
    assert 0.3 < np.mean(sample.train.fine_labels[1:] != sample.train.fine_labels[:-1]) < 0.7


def test_no_image_is_drawn_twice(sample: Archive) -> None:
    images = np.concatenate([sample.train.data, sample.test.data])
    assert len(np.unique(images, axis=0)) == len(images)


def test_a_mean_colour_does_not_tell_the_classes_apart(sample: Archive) -> None:
    # GIVEN each image's mean red, green and blue
    train, test = (rows.data.reshape(-1, 3, 1024).mean(axis=2) for rows in (sample.train, sample.test))

    # WHEN
    answers = nearest_mean(train, sample.train.fine_labels == 48, test)

    # THEN hardly better than a coin
    assert np.mean(answers == (sample.test.fine_labels == 48)) < 0.7


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_gives_the_same_bytes(tmp_path: Path, seed: int) -> None:
    first, second = (draw_archive(tmp_path / name, seed=seed, train=3, test=2).read_bytes() for name in ("a", "b"))
    other = draw_archive(tmp_path / "c", seed=seed + 1, train=3, test=2).read_bytes()
    assert first == second
    assert first != other
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_drawn_class_gives_pictures(name: str) -> None:
    for seed in range(20):
        picture = draw_vehicle(name, np.random.default_rng(seed))
        assert picture.shape == (32, 32, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 3


def test_other_classes_can_be_drawn_and_do_not_change_the_first(tmp_path: Path) -> None:
    # WHEN
    two = read_archive(draw_archive(tmp_path / "a", train=2, test=1))
    five = read_archive(draw_archive(tmp_path / "b", classes=sorted(DRAWN), train=2, test=1))

    # THEN
    assert {FINE_NAMES[label] for label in five.train.fine_labels} == set(DRAWN)
    assert {row.tobytes() for row in two.train.data} < {row.tobytes() for row in five.train.data}


def test_a_coarse_class_is_drawn_as_all_of_its_drawn_fine_ones(tmp_path: Path) -> None:
    # WHEN
    coarse = read_archive(draw_archive(tmp_path / "a", classes=["vehicles_1", "vehicles_2"], train=2, test=1))

    # THEN
    assert {FINE_NAMES[label] for label in coarse.train.fine_labels} == set(DRAWN)
    assert {COARSE_NAMES[label] for label in coarse.train.coarse_labels} == {"vehicles_1", "vehicles_2"}


def test_a_class_that_is_not_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotDrawnError, match="rocket"):
        draw_archive(tmp_path / "a", classes=["bicycle", "rocket"])
    assert list(tmp_path.iterdir()) == []
