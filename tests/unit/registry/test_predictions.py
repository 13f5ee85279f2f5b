"""Predictions on the validation images of a training job, and predictions of a batch transform job."""

# ruff: noqa: N803  boto3's parameter names

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from common.errors import OperatorError
from registry.predictions import (
    Predictions,
    check_complete,
    parse_validation_predictions,
    read_validation_results,
    summarize,
    to_csv,
)
from tests.unit.training.outputs import make_output
from training.follow import MAX_METRICS_BYTES

MODEL = "s3://bucket/models/job/output/model.tar.gz"
CLASSES = ("bicycle", "motorcycle")
PREDICTIONS = Predictions(
    {"in/a,b.png": [0.98, 0.02], "in/c.png": [0.4, 0.6], "in/d.png": [0.95, 0.05]}, {"in/e.txt": "not an image"}
)


class FakeS3:
    """An S3 client with the output of one training job.

    Parameters
    ----------
    body : content of `output.tar.gz`, or None if the object does not exist
    size : size that S3 reports, in bytes; by default that of the content
    """

    class exceptions:  # noqa: N801
        class NoSuchKey(Exception):  # noqa: N818
            """The object does not exist."""

    def __init__(self, body: bytes | None, size: int | None = None) -> None:
        self._body, self._size = body, size

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert (Bucket, Key) == ("bucket", "models/job/output/output.tar.gz")
        if self._body is None:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(self._body), "ContentLength": self._size or len(self._body)}


def test_validation_results_are_read_from_the_job_output() -> None:
    # GIVEN
    s3 = FakeS3(
        make_output(
            {"metrics.json": b"{}", "validation.csv": b'a.png,0,0.9,0.1\n"b,c.png",1,0.6,0.4\nd.png,1,0.2,0.8\n'}
        )
    )

    # WHEN / THEN
    assert read_validation_results(MODEL, s3=s3) == {"a.png": True, "b,c.png": False, "d.png": True}


@pytest.mark.parametrize("body", [None, make_output({"other.csv": b""})], ids=["no output", "no predictions in output"])
def test_validation_results_are_none_if_the_job_has_written_no_predictions(body: bytes | None) -> None:
    assert read_validation_results(MODEL, s3=FakeS3(body)) is None


@pytest.mark.parametrize(
    ("body", "size"),
    [(b"not an archive", None), (make_output({}), MAX_METRICS_BYTES + 1)],
    ids=["damaged", "too large"],
)
def test_error_names_an_output_that_is_damaged_or_too_large(body: bytes, size: int | None) -> None:
    with pytest.raises(OperatorError, match=r"output\.tar\.gz"):
        read_validation_results(MODEL, s3=FakeS3(body, size))


def test_predictions_that_are_too_large_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an archive that is smaller than the limit, with a file that is larger
    body = make_output({"validation.csv": b"a.png,0,0.9,0.1\n" * 1000})
    monkeypatch.setattr("training.follow.MAX_METRICS_BYTES", 1000)

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"validation\.csv in .* at most 1,000 bytes \(got 16,000\)"):
        read_validation_results(MODEL, s3=FakeS3(body))


@pytest.mark.parametrize(
    "content",
    [
        b"a.png,0,0.9,0.1\na.png,0,0.9,0.1\n",
        b"a.png,0,0.9,0.1\nb.png,0,0.9\n",
        b"a.png,0,1.0\n",
        b"a.png,2,0.9,0.1\n",
        b"a.png,-1,0.9,0.1\n",
        b"a.png,x,0.9,0.1\n",
        b"a.png,0,0.9,nan\n",
        b"a.png,0,0.9,1.1\n",
        b"\xff,0,0.9,0.1\n",
        b'"a.png"x,0,0.9,0.1\n',
    ],
    ids=[
        "repeated image",
        "missing probability",
        "one class",
        "unknown label",
        "negative label",
        "label is not a number",
        "NaN",
        "probability above 1",
        "not UTF-8",
        "invalid quotes",
    ],
)
def test_file_with_a_malformed_line_is_refused(content: bytes) -> None:
    with pytest.raises(OperatorError, match=r"validation\.csv"):
        parse_validation_predictions(content)


def test_csv_has_one_line_for_each_image_with_a_prediction_or_an_error() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(PREDICTIONS, CLASSES))))
    assert [line["key"] for line in lines] == ["in/a,b.png", "in/c.png", "in/d.png", "in/e.txt"]
    assert lines[1] == {
        "key": "in/c.png",
        "class": "motorcycle",
        "confidence": "0.6",
        "bicycle": "0.4",
        "motorcycle": "0.6",
        "error": "",
    }
    assert {name: value for name, value in lines[3].items() if value} == {"key": "in/e.txt", "error": "not an image"}


def test_csv_has_the_reason_of_every_failed_image() -> None:
    # GIVEN only failed images, of which there are more than the summary lists
    errors = {f"in/{number:02}.png": f"reason {number}" for number in range(19)}

    # WHEN
    lines = list(csv.DictReader(io.StringIO(to_csv(Predictions({}, errors), CLASSES))))

    # THEN
    assert {line["key"]: line["error"] for line in lines} == errors


def test_summary_counts_classes_and_lists_failed_images() -> None:
    # WHEN
    lines = list(summarize(PREDICTIONS, CLASSES, 0.93))

    # THEN
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["bicycle", "2", "66.7%", "2"]
    assert lines[2].split() == ["motorcycle", "1", "33.3%", "0"]
    assert lines[-1].strip() == "in/e.txt: not an image"


def test_image_without_a_prediction_is_an_error() -> None:
    path = Path("transform.csv")
    line = (
        r"1 of 4 images have no prediction; the first is in/e\.txt: not an image; "
        r"the column `error` of transform\.csv has all reasons"
    )
    with pytest.raises(OperatorError, match=line):
        check_complete(PREDICTIONS, path)
    check_complete(Predictions(PREDICTIONS.probabilities, {}), path)
