"""Capture files that SageMaker wrote on AWS for a model with two classes can be read."""

import os
from pathlib import Path

import pytest

from evaluation.capture_table import Captures, read_directory
from training.container.classifier.captured_records import Record, parse_records
from training.container.classifier.images import read_image

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def directory() -> Path:
    """The folder that the environment variable DATA_CAPTURE names; capture files may be in folders below it."""
    path = os.environ.get("DATA_CAPTURE")
    if not path:
        pytest.skip("DATA_CAPTURE is not set to a folder of captured data")
    return Path(path)


@pytest.fixture(scope="module")
def captures(directory: Path) -> Captures:
    """The records of all capture files; if several records have the same ID, only the latest."""
    return read_directory(directory, classes=2)


@pytest.fixture(scope="module")
def records(directory: Path) -> list[Record]:
    """The records in all lines of all capture files."""
    lines = [line for path in sorted(directory.rglob("*.jsonl")) for line in path.read_bytes().splitlines()]
    return [record for line in lines for record in parse_records(line, classes=2)]


def test_every_line_of_every_file_is_read(captures: Captures, records: list[Record]) -> None:
    assert captures.malformed == 0
    assert len(captures) + captures.duplicates == len(records) > 0
    assert len(captures) == len({record.id for record in records})


def test_every_image_can_be_decoded(captures: Captures) -> None:
    for image in captures.images(list(captures.predictions())):
        assert image is not None
        read_image(image)


def test_probabilities_sum_to_one(records: list[Record]) -> None:
    for record in records:
        assert sum(record.probabilities) == pytest.approx(1, abs=1e-3)
