"""A model's baseline: writing its file, and rejecting an invalid file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.container.classifier import baseline
from training.container.classifier.baseline import (
    FILE,
    STATISTICS,
    BaselineError,
    Sample,
    describe,
    read_baseline,
    write_baseline,
)


def make_sample(images: int = 6) -> Sample:
    """Return the sample of random images, probabilities of two classes, and embeddings with 3 dimensions."""
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1, 1], images)
    pixels = generator.integers(0, 256, (images, 16, 16, 3), dtype=np.uint8)
    return describe(probabilities, pixels, generator.normal(size=(images, 3)))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Path of a valid baseline file, which describes six images."""
    write_baseline(make_sample(), tmp_path)
    return tmp_path / FILE


def test_written_baseline_can_be_read(written: Path) -> None:
    # GIVEN
    expected = make_sample()

    # WHEN
    found = read_baseline(written, classes=2)

    # THEN
    assert found.images == 6
    assert found.predicted.tolist() == expected.predicted.tolist()
    assert set(found.statistics) == set(STATISTICS)
    for name in STATISTICS:
        np.testing.assert_allclose(found.statistics[name], expected.statistics[name], rtol=1e-5)
    np.testing.assert_allclose(found.embeddings, expected.embeddings, rtol=1e-5)


def test_sample_can_have_no_images() -> None:
    assert make_sample(0).images == 0


def test_baseline_has_at_most_the_maximum_number_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_IMAGES", 4)

    write_baseline(make_sample(10), tmp_path)

    assert 1 <= read_baseline(tmp_path / FILE, classes=2).images <= 4


def test_error_for_a_missing_file_says_to_train_again(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"the model has no baseline\.json: train it again"):
        read_baseline(tmp_path / FILE, classes=2)


def test_too_large_file_is_rejected(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_BYTES", 10)

    with pytest.raises(BaselineError, match="at most 10 are allowed"):
        read_baseline(written, classes=2)


def change(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that replaces the value of a key in the file's JSON object."""
    return lambda content: content.update({key: value})


def change_statistic(value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that replaces the values of the brightness in the file's JSON object."""
    return lambda content: content["statistics"].update(brightness=value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("version", 2), "version 1"),
        (change("predicted", [6]), "2 counts"),
        (change("predicted", [-1, 7]), "2 counts"),
        (change("predicted", [True, 5]), "2 counts"),
        (change("predicted", [0, 0]), r"1 to 1000 images \(got 0\)"),
        (change("predicted", [900, 900]), "1 to 1000 images"),
        (change("statistics", {"confidence": []}), "statistics in"),
        (change("statistics", None), "statistics in"),
        (change_statistic([0.5] * 5), "brightness in .* must be a list of 6 numbers"),
        (change_statistic([0.5] * 5 + [float("nan")]), "brightness in .* must be a list of 6 numbers"),
        (change_statistic([0.5] * 5 + [10**400]), "brightness in .* must be a list of 6 numbers"),
        (change_statistic(["0.5"] * 6), "brightness in .* must be a list of 6 numbers"),
        (change("embeddings", [[0.0]] * 5), "one list for each image"),
        (change("embeddings", [[0.0, 1.0]] * 5 + [[0.0]]), "each embedding in .* must be a list of 2 numbers"),
        (change("embeddings", [[0.0] * 65] * 6), r"1 to 64 numbers \(got 65\)"),
        (change("embeddings", ["text"] * 6), "1 to 64 numbers"),
    ],
)
def test_invalid_content_is_rejected(written: Path, damage: Callable[[dict[str, Any]], None], message: str) -> None:
    # GIVEN
    content = json.loads(written.read_text())
    damage(content)
    written.write_text(json.dumps(content))

    # WHEN / THEN
    with pytest.raises(BaselineError, match=message):
        read_baseline(written, classes=2)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_file_that_is_not_a_json_object_is_rejected(written: Path, content: bytes) -> None:
    written.write_bytes(content)

    with pytest.raises(BaselineError):
        read_baseline(written, classes=2)
