"""Answers of reviewers about the class of an image: one JSON object in S3 for each image, written conditionally."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from common.errors import OperatorError
from common.s3 import ConditionError, put_if
from evaluation.review.entries import Entry, EntryError, ImageNames, ReviewStore

MAX_NAME = 64  # maximum length of a reviewer's name in characters
NEITHER = "neither"  # the label of an image that shows none of the classes


class ReviewerError(OperatorError):
    """The reviewer's name is invalid."""


class AnswerExistsError(OperatorError):
    """The image already has another answer."""

    def __init__(self, answer: "Answer") -> None:
        super().__init__(f"{answer.reviewer} has answered for this image at {answer.time}")
        self.answer = answer


@dataclass(frozen=True)
class Answer:
    """One person's answer about one image.

    Attributes
    ----------
    id : ID of the captured record
    label : name of a class, or `neither`
    entry : key of the review entry
    reviewer : the person's name
    time : time of the answer in UTC, in ISO 8601
    seconds : how long the image was shown, in seconds; None if it is not known
    version : S3 version of the answer's object, which the object's content does not contain
    """

    id: str
    label: str
    entry: str
    reviewer: str
    time: str
    seconds: float | None
    version: str | None = None


def reviewer_name(name: str, *, sts: Any) -> str:
    """Return the reviewer's name, or the name of the AWS user or role session if `name` is empty.

    Raises
    ------
    ReviewerError
        The name is too long or has control characters.
    """
    name = name.strip() or str(sts.get_caller_identity()["Arn"]).rpartition(":")[2].rpartition("/")[2]
    if len(name) > MAX_NAME or not name.isprintable():
        raise ReviewerError(
            f"REVIEWER must be at most {MAX_NAME} printable characters, such as REVIEWER=ana (got {name!r})"
        )
    return name


def make_answer(entry: Entry, label: str, reviewer: str, seconds: float | None = None) -> Answer:
    """Return an answer with the current time."""
    return Answer(entry.id, label, entry.key, reviewer, datetime.now(UTC).isoformat(), seconds)


def allowed_labels(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that an answer may have."""
    return (*classes, NEITHER)


def put_answer(store: ReviewStore, name: str, answer: Answer) -> Answer:
    """Store an answer if the image has none, and return the answer with its S3 version.

    Raises
    ------
    AnswerExistsError
        The image already has an answer, which is not changed.
    """
    content = {key: value for key, value in asdict(answer).items() if key != "version"}
    try:
        body = json.dumps(content).encode()
        return replace(answer, version=put_if(store.bucket, store.answer_key(name), body, s3=store.s3))
    except ConditionError:
        existing = read_answer(store, name)
        if existing is None:  # the other person has deleted the existing answer meanwhile
            return put_answer(store, name, answer)
        # if a response was lost, the SDK repeats the request, and S3 refuses it because the first one stored the answer
        if replace(existing, version=None) == answer:
            return existing
        raise AnswerExistsError(existing) from None


def read_answer(store: ReviewStore, name: str) -> Answer | None:
    """Return the answer about an image, or None if the image has no answer."""
    try:
        stored = store.get(store.answer_key(name))
    except EntryError:
        return None
    try:
        content = json.loads(stored["Body"].read())
    except ValueError:
        content = None
    fields: dict[str, Any] = content if isinstance(content, dict) else {}
    known = {each: fields.get(each) for each in ("id", "label", "entry", "reviewer", "time")}
    text = {each: value if isinstance(value, str) else "unknown" for each, value in known.items()}
    return Answer(**text, seconds=fields.get("seconds"), version=stored.get("VersionId"))


def delete_answer(store: ReviewStore, name: str, version: str | None) -> None:
    """Delete exactly this version of an answer, so that a later answer of another person is not deleted."""
    version_id = {} if version is None else {"VersionId": version}
    store.s3.delete_object(Bucket=store.bucket, Key=store.answer_key(name), **version_id)


def answered_images(store: ReviewStore) -> ImageNames:
    """Return the images with an answer."""
    found = ImageNames()
    for name, _ in list_answers(store):
        found.add(name)
    return found


def list_answers(store: ReviewStore) -> Iterator[tuple[str, datetime]]:
    """Yield the name of each image with an answer, and the time of the answer."""
    return store.names(store.answers)
