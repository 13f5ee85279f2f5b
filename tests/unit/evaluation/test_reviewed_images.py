"""The images that people labelled are read from their answers."""

import json
from typing import Any

import pytest

from evaluation.review.answers import make_answer, put_answer
from evaluation.review.entries import read_entry
from evaluation.reviewed_images import LabelledObject, read_answers, read_images
from staging.reviewed import ReviewedImage
from tests.unit.evaluation.review import fakes
from tests.unit.staging.fakes import FakeS3


def test_an_answer_names_the_copy_of_the_image_next_to_the_entry() -> None:
    # GIVEN an entry of a selection and one of the state machine
    s3 = fakes.FakeS3()
    store = fakes.make_store(s3)
    for key, label in (
        (fakes.add_selected(s3, "1"), "bicycle"),
        (fakes.add_photograph(s3, "a.png", "v"), "neither"),
    ):
        entry = read_entry(store, key)
        put_answer(store, entry.name, make_answer(entry, label, "ann"))

    # WHEN
    labelled = read_answers(store)

    # THEN
    assert sorted(labelled, key=lambda each: each.label) == [
        LabelledObject("bicycle", "review/selected/1"),
        LabelledObject("neither", "review/THRESHOLD_CONFIDENCE_NOT_MET/zoe/v"),
    ]
    assert [image.body for image in read_images("bucket", labelled, s3=s3)] == [fakes.png(), fakes.png()]


@pytest.mark.parametrize(
    "answer", [b"{", b"[]", {"label": "bicycle"}, {"label": "bicycle", "entry": "models/model.tar.gz"}]
)
def test_a_malformed_answer_is_counted_and_left_out(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    s3 = fakes.FakeS3()
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    s3.put_object(Bucket="bucket", Key="labels/answers/1.json", Body=body)

    # WHEN / THEN
    assert read_answers(fakes.make_store(s3)) == []
    assert "1 answer left out: no image to review is named" in capsys.readouterr().out


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
