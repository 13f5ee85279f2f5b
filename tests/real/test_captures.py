"""Capture files that SageMaker wrote on AWS can be read."""

import os
from pathlib import Path

import pytest

from evaluation.capture_table import Captures, read_directory
from training.container.classifier.captured_records import parse_records
from training.container.classifier.images import read_image

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def captures() -> Captures:
    """The capture files in the folder DATA_CAPTURE."""
    directory = os.environ.get("DATA_CAPTURE")
    if not directory:
        pytest.skip("DATA_CAPTURE is not set to a folder of captured data")
    return read_directory(Path(directory), classes=2)


def test_every_line_of_every_file_is_a_record(captures: Captures) -> None:
    lines = sum(len(path.read_bytes().splitlines()) for path in Path(os.environ["DATA_CAPTURE"]).rglob("*.jsonl"))
    assert captures.malformed == 0
    assert len(captures) == lines > 0


def test_every_image_can_be_decoded(captures: Captures) -> None:
    for image in captures.images(list(captures.predictions())):
        assert image is not None
        assert read_image(image).size == (32, 32)


def test_probabilities_sum_to_one(captures: Captures) -> None:
    for path in Path(os.environ["DATA_CAPTURE"]).rglob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            for record in parse_records(line, classes=2):
                assert sum(record.probabilities) == pytest.approx(1, abs=1e-3)
