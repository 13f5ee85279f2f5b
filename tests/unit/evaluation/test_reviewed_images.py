"""The images that people labelled are read from their answers."""

import json
from typing import Any

import pytest

from evaluation.reviewed_images import LabelledObject, read_answers, read_images
from staging.reviewed import ReviewedImage
from tests.unit.staging.fakes import FakeS3


def make_bucket(answers: dict[str, Any]) -> FakeS3:
    """Return a bucket with answers by ID."""
    s3 = FakeS3()
    for name, answer in answers.items():
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        s3.put_object(Bucket="b", Key=f"labels/answers/{name}.json", Body=body)
    return s3


def read(s3: FakeS3) -> list[LabelledObject]:
    return read_answers("b", "labels", "review", s3=s3)


def test_an_answer_names_the_copy_of_the_image_next_to_the_entry() -> None:
    # GIVEN an entry of a selection and one of the state machine
    s3 = make_bucket(
        {
            "1": {"id": "1", "label": "bicycle", "entry": "review/selected/1.json", "reviewer": "ann"},
            "2": {"id": "2", "label": "neither", "entry": "review/ImageInvalidError/driver/v.json"},
        }
    )

    # WHEN / THEN
    assert read(s3) == [
        LabelledObject("bicycle", "review/selected/1"),
        LabelledObject("neither", "review/ImageInvalidError/driver/v"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"{",
        b"[]",
        {"label": "bicycle"},
        {"label": 1, "entry": "review/selected/1.json"},
        {"label": "bicycle", "entry": "models/secret.json"},
    ],
)
def test_a_malformed_answer_is_named_and_left_out(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    s3 = make_bucket({"1": answer, "2": {"label": "bicycle", "entry": "review/selected/2.json"}})

    # WHEN
    found = read(s3)

    # THEN
    assert found == [LabelledObject("bicycle", "review/selected/2")]
    assert "1 answer left out: malformed, the first is s3://b/labels/answers/1.json" in capsys.readouterr().out


def test_images_are_read_in_order_and_missing_ones_have_no_content() -> None:
    # GIVEN
    s3 = FakeS3()
    for number in range(100):
        s3.put_object(Bucket="b", Key=f"review/selected/{number}", Body=b"%d" % number)
    labelled = [LabelledObject("bicycle", f"review/selected/{number}") for number in range(101)]

    # WHEN
    images = list(read_images("b", labelled, s3=s3))

    # THEN
    assert images == [
        *(ReviewedImage("bicycle", b"%d" % number) for number in range(100)),
        ReviewedImage("bicycle", None),
    ]
