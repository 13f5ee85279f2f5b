"""S3 stores one answer for each image, until the reviewer who gave the answer deletes it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evaluation.review.answers import (
    AnswerExistsError,
    ReviewerError,
    delete_answer,
    make_answer,
    put_answer,
    read_answer,
    reviewer_name,
)
from evaluation.review.entries import Entry
from tests.unit.evaluation.review.fakes import FakeS3, error, make_store

ENTRY = Entry("review/selected/5c0e.json", "5c0e", ("audit",), None)


def test_answer_is_stored_as_one_object_with_all_fields() -> None:
    # GIVEN
    s3 = FakeS3()

    # WHEN
    put_answer(make_store(s3), "5c0e", make_answer(ENTRY, "bicycle", "ana", 2.5))

    # THEN
    content = json.loads(s3.objects["labels/answers/5c0e.json"])
    assert content.pop("time").endswith("+00:00")
    assert content == {
        "id": "5c0e",
        "label": "bicycle",
        "entry": "review/selected/5c0e.json",
        "reviewer": "ana",
        "seconds": 2.5,
    }


def test_second_answer_is_refused_with_the_name_of_the_first_reviewer() -> None:
    # GIVEN
    store = make_store(FakeS3())
    put_answer(store, "5c0e", make_answer(ENTRY, "bicycle", "ana"))

    # WHEN / THEN
    with pytest.raises(AnswerExistsError, match="ana has answered"):
        put_answer(store, "5c0e", make_answer(ENTRY, "motorcycle", "ben"))
    answer = read_answer(store, "5c0e")
    assert answer is not None
    assert (answer.label, answer.reviewer) == ("bicycle", "ana")


def test_request_that_is_repeated_after_a_lost_response_adds_no_second_answer() -> None:
    # GIVEN an S3 client that sends the request twice, as if the first response were lost
    s3 = FakeS3()
    put_object, store, answer = s3.put_object, make_store(s3), make_answer(ENTRY, "bicycle", "ana")

    def put_twice(**request: Any) -> Any:
        put_object(**request)
        return put_object(**request)

    s3.put_object = put_twice  # type: ignore[method-assign]

    # WHEN
    stored = put_answer(store, "5c0e", answer)

    # THEN
    assert (stored.label, stored.version) == ("bicycle", "version-1")


def test_conflicting_write_is_retried_a_few_times() -> None:
    # GIVEN three conflicts
    s3 = FakeS3()
    s3.conflicts = 3

    # WHEN
    put_answer(make_store(s3), "5c0e", make_answer(ENTRY, "bicycle", "ana"))

    # THEN the answer is stored, but after too many conflicts the error is raised
    assert "labels/answers/5c0e.json" in s3.objects
    s3.conflicts = 99
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        put_answer(make_store(s3), "77aa", make_answer(ENTRY, "bicycle", "ana"))


def test_other_s3_errors_than_conflicts_are_raised() -> None:
    # GIVEN
    s3 = FakeS3()

    def refuse(**_: Any) -> Any:
        raise error("AccessDenied")

    s3.put_object = refuse  # type: ignore[method-assign]

    # WHEN / THEN
    with pytest.raises(ClientError, match="AccessDenied"):
        put_answer(make_store(s3), "5c0e", make_answer(ENTRY, "bicycle", "ana"))


def test_deletion_of_an_old_answer_keeps_a_newer_answer() -> None:
    # GIVEN an answer that ana has deleted, and ben's newer answer for the same image
    store = make_store(FakeS3())
    first = put_answer(store, "5c0e", make_answer(ENTRY, "bicycle", "ana"))
    delete_answer(store, "5c0e", first.version)
    put_answer(store, "5c0e", make_answer(ENTRY, "motorcycle", "ben"))

    # WHEN ana's answer is deleted again
    delete_answer(store, "5c0e", first.version)

    # THEN
    answer = read_answer(store, "5c0e")
    assert answer is not None
    assert answer.reviewer == "ben"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"reviewer": 7}'])
def test_object_that_is_not_a_valid_answer_counts_as_an_answer(content: bytes) -> None:
    # GIVEN
    s3 = FakeS3()
    s3.put_object(Bucket="bucket", Key="labels/answers/5c0e.json", Body=content)

    # WHEN / THEN
    with pytest.raises(AnswerExistsError, match="unknown has answered"):
        put_answer(make_store(s3), "5c0e", make_answer(ENTRY, "bicycle", "ana"))


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:user/team/ana", "ana"),
        ("arn:aws:sts::123456789012:assumed-role/operator/ana@example.com", "ana@example.com"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_default_reviewer_name_comes_from_the_arn_of_the_credentials(arn: str, name: str) -> None:
    # WHEN / THEN
    assert reviewer_name(" ", sts=SimpleNamespace(get_caller_identity=lambda: {"Arn": arn})) == name


@pytest.mark.parametrize("name", ["a" * 65, "a\nb", "\x1b[31m"])
def test_invalid_reviewer_name_is_refused(name: str) -> None:
    # WHEN / THEN
    with pytest.raises(ReviewerError, match="REVIEWER must be at most 64 printable characters"):
        reviewer_name(name, sts=None)
