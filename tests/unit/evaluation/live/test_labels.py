"""Labels are read from label files and from the answers of reviewers."""

import json
from typing import Any

import pytest

from common.inference_ids import inference_id, key_digits
from evaluation.live import labels
from evaluation.live.labels import Label, LabelSet, read_labels
from tests.unit.staging.fakes import FakeS3

CLASSES = ("bicycle", "motorcycle")
ONE, TWO = inference_id("incoming/one.png", "1"), inference_id("incoming/two.png", "1")


def read(files: dict[str, bytes]) -> LabelSet:
    """Read labels from a bucket that contains these objects, by key."""
    s3 = FakeS3()
    for key, body in files.items():
        s3.put_object(Bucket="b", Key=key, Body=body)
    return read_labels("b", "labels", CLASSES, s3=s3)


def names(found: LabelSet) -> list[tuple[str, str]]:
    """Return the image and the class name of each label."""
    return [(label.image, label.name) for label in found.labels]


def test_csv_and_json_lines_files_identify_images_by_inference_id_or_key() -> None:
    # WHEN
    found = read(
        {
            "labels/a.csv": b"inference_id,label\n" + ONE.encode() + b",bicycle\nabc/2,neither\n",
            "labels/week/b.csv": b"key,version,label\nincoming/one.png,,bicycle\nincoming/two.png,1,motorcycle\n",
            "labels/c.JSONL": b'{"key": "incoming/one.png", "label": "bicycle"}\n\n'
            b'{"inference_id": "x", "label": "bicycle"}',
            "labels.csv": b"outside the folder",
            "labels/folder/": b"",
        }
    )

    # THEN
    assert found.messages == {"malformed": [], "unknown": []}
    assert (found.files, found.malformed, found.unknown_classes) == (3, 0, 0)
    assert [(label.record_id, label.digits, label.name) for label in found.labels] == [
        (ONE, None, "bicycle"),
        ("abc/2", None, "neither"),
        (None, key_digits("incoming/one.png"), "bicycle"),
        ("x", None, "bicycle"),
        (None, key_digits("incoming/one.png"), "bicycle"),
        (TWO, None, "motorcycle"),
    ]
    assert found.labels[1].source == "labels/a.csv, line 3"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("\ufeffkey,label\nö.png,bicycle\n".encode(), id="byte order mark"),
        pytest.param("key,label\r\nö.png,bicycle\r\n".encode(), id="Windows line breaks"),
        pytest.param("key,label\rö.png,bicycle\r".encode(), id="old Macintosh line breaks"),
        pytest.param("key;label\nö.png;bicycle\n".encode(), id="semicolons"),
        pytest.param("key\tlabel\nö.png\tbicycle\n".encode(), id="tabs"),
        pytest.param("key\tlabel\nö.png\tbicycle\n".encode("utf-16"), id="UTF-16, as spreadsheets write Unicode text"),
        pytest.param('"key","label"\n"ö.png","bicycle"\n'.encode(), id="quotes"),
        pytest.param('key,comment,label\nö.png,"two\nlines",bicycle\n'.encode(), id="a line break in quotes"),
        pytest.param(
            'key,comment,label\r\nö.png,"a ""b""\r\n\r\nc",bicycle\r\n'.encode(), id="two line breaks in quotes"
        ),
        pytest.param('Label , KEY,comment\n bicycle ,ö.png,"a, ""b"""\n,,\n'.encode(), id="other columns"),
    ],
)
def test_formats_that_spreadsheets_write_are_read(content: bytes) -> None:
    found = read({"labels/a.csv": content})
    assert found.messages["malformed"] == []
    assert names(found) == [("ö.png", "bicycle")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"unclosed.png,bicycle', "not CSV"),
        ("a.png,bicycle,more", "3 columns, but the header has 2"),
        (",bicycle", "no inference_id and no key"),
        ("a.png,", "no label"),
        ("x" * 70_000 + ",bicycle", "the line has 70008 characters; at most 65536"),
    ],
    ids=["quote", "columns", "no key", "no label", "long"],
)
def test_an_invalid_csv_line_is_named_and_the_other_lines_are_read(line: str, reason: str) -> None:
    # WHEN
    found = read({"labels/a.csv": f"key,label\n{line}\ngood.png,motorcycle\n".encode()})

    # THEN
    assert names(found) == [("good.png", "motorcycle")]
    (message,) = found.messages["malformed"]
    assert message.startswith(f"labels/a.csv, line 2: {reason}")


def test_a_missing_closing_quote_makes_only_its_line_invalid() -> None:
    # GIVEN two lines with a missing closing quote, so that the second quote would close the first
    lines = ('"one.png,bicycle', "good.png,motorcycle", '"two.png,bicycle', "better.png,bicycle")

    # WHEN
    found = read({"labels/a.csv": "\n".join(["key,label", *lines]).encode()})

    # THEN
    assert names(found) == [("good.png", "motorcycle"), ("better.png", "bicycle")]
    assert [message[:20] for message in found.messages["malformed"]] == ["labels/a.csv, line 2", "labels/a.csv, line 4"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"key": ["a"], "label": "bicycle"}', "key must be text"),
        (b'{"key": "a", "label": 1}', "label must be text"),
        (b'{"key": "a", "label": "bicycle", "label": "motorcycle"}', "a name is in the object more than once"),
    ],
    ids=["truncated", "deeply nested", "a list", "key", "label", "two labels"],
)
def test_an_invalid_json_line_is_named_and_the_other_lines_are_read(line: bytes, reason: str) -> None:
    found = read({"labels/a.jsonl": line + b'\n{"key": "good.png", "label": "bicycle"}'})
    assert names(found) == [("good.png", "bicycle")]
    assert reason in found.messages["malformed"][0]


@pytest.mark.parametrize(
    ("key", "content", "reason"),
    [
        ("labels/a.xlsx", b"PK", "labels must be in a file whose name ends with .csv or .jsonl"),
        ("labels/a.csv", b"", "line 1 must name the columns label, and inference_id or key (got '')"),
        ("labels/a.csv", b"a.png,bicycle\n", "line 1 must name the columns"),
        ("labels/a.csv", b"key,label,label\na,bicycle,\n", "line 1 names the column label 2 times: keep one of them"),
        ("labels/a.csv", b"key,label\n\xff\xfe", "the file is not in UTF-8 (byte 10): save it as CSV UTF-8"),
        ("labels/a.csv", b"\xff\xfe\x00", "the file is not in UTF-8"),
        ("labels/answers/a.json", b"{", "labels/answers/a.json is not JSON"),
        ("labels/answers/a.json", b"[]", "is not a JSON object"),
        ("labels/answers/a.json", b"{}", "not an answer, because it has no id or no label"),
    ],
    ids=["format", "empty", "no header", "two labels", "encoding", "UTF-16", "answer", "answer list", "empty answer"],
)
def test_a_file_that_cannot_be_read_is_named_and_the_other_files_are_read(
    key: str, content: bytes, reason: str
) -> None:
    found = read({key: content, "labels/good.csv": b"key,label\ngood.png,bicycle"})
    assert names(found) == [("good.png", "bicycle")]
    assert found.malformed == 1
    assert reason in found.messages["malformed"][0]


def test_a_file_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MAX_FILE_BYTES", 10)
    assert "at most 10 are allowed" in read({"labels/a.csv": b"key,label\na,bicycle"}).messages["malformed"][0]


def test_an_unknown_class_is_named_without_control_characters() -> None:
    # WHEN
    found = read({"labels/a.csv": b"key,label\na.png,\x1b[31mcar\nb.png,Bicycle"})

    # THEN
    assert (found.labels, found.unknown_classes) == ([], 2)
    assert found.messages["unknown"][0] == (
        "labels/a.csv, line 2: the class must be one of bicycle, motorcycle, neither (got '\\x1b[31mcar')"
    )


def test_all_invalid_lines_are_counted_and_the_first_20_are_named() -> None:
    found = read({"labels/a.csv": b"key,label\n" + b"a\n" * 50})
    assert (found.malformed, len(found.messages["malformed"])) == (50, 20)


SELECTED = {"id": ONE, "reasons": ["audit"], "inclusion_probability": 0.02, "audit_rate": 0.02}
LOW = {"id": ONE, "reasons": ["low_confidence"], "inclusion_probability": 1, "audit_rate": None}
PHOTOGRAPH = {"key": "incoming/one.png", "version": "1", "error": "THRESHOLD_CONFIDENCE_NOT_MET", "execution": "arn"}


@pytest.mark.parametrize(
    ("entry", "probability", "audit_rate"),
    [
        pytest.param(SELECTED, 0.02, 0.02, id="audit sample"),
        pytest.param(LOW, 1.0, None, id="low confidence"),
        pytest.param({"id": ONE, "reasons": ["drift"], "inclusion_probability": None}, None, None, id="drift"),
        pytest.param(PHOTOGRAPH, 1.0, None, id="failed execution"),
        pytest.param({**PHOTOGRAPH, "error": "ImageInvalidError"}, None, None, id="other error"),
        pytest.param({**LOW, "inclusion_probability": 0, "audit_rate": 0}, None, None, id="zero"),
        pytest.param({**LOW, "inclusion_probability": "x", "audit_rate": 10**400}, None, None, id="invalid"),
        pytest.param([], None, None, id="not an entry"),
        pytest.param(None, None, None, id="deleted"),
    ],
)
def test_an_answer_has_the_inclusion_probability_and_audit_rate_of_its_review_entry(
    entry: Any, probability: float | None, audit_rate: float | None
) -> None:
    # GIVEN
    answer = {"id": ONE, "label": "bicycle", "entry": f"review/selected/{ONE}.json", "reviewer": "ana"}
    files = {f"labels/answers/{ONE}.json": json.dumps(answer).encode()}
    if entry is not None:
        files[answer["entry"]] = json.dumps(entry).encode()

    # WHEN
    found = read(files)

    # THEN
    assert found.answers == 1
    assert found.labels == [Label(ONE, ONE, None, "bicycle", f"labels/answers/{ONE}.json", probability, audit_rate)]


def test_a_photograph_below_the_threshold_can_be_in_the_audit_sample_too() -> None:
    # GIVEN an answer for the copy of a photograph below the threshold, which was also selected for the audit sample
    entry = "review/THRESHOLD_CONFIDENCE_NOT_MET/ana/1.json"
    files = {
        f"labels/answers/{ONE}.json": {"id": ONE, "label": "bicycle", "entry": entry},
        entry: PHOTOGRAPH,
        f"review/selected/{ONE}.json": {**LOW, "reasons": ["low_confidence", "audit"], "audit_rate": 0.02},
    }

    # WHEN
    found = read({key: json.dumps(content).encode() for key, content in files.items()})

    # THEN
    assert [(label.inclusion_probability, label.audit_rate) for label in found.labels] == [(1.0, 0.02)]


def test_an_answer_that_is_deleted_after_it_was_listed_is_not_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a bucket that lists an answer that no longer exists
    s3 = FakeS3()
    s3.put_object(Bucket="b", Key="labels/answers/a.json", Body=b"{}")
    monkeypatch.setattr(s3, "get_object", FakeS3().get_object)

    # WHEN
    found = read_labels("b", "labels", CLASSES, s3=s3)

    # THEN
    assert (found.answers, found.malformed, found.labels) == (0, 0, [])


def test_a_file_that_is_deleted_after_it_was_listed_is_named_and_the_other_files_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a listing with a file that no longer exists
    s3 = FakeS3()
    s3.put_object(Bucket="b", Key="labels/b.csv", Body=b"inference_id,label\nx,bicycle\n")
    listed = [{"Key": "labels/a.csv", "Size": 30}, {"Key": "labels/b.csv", "Size": 30}]
    monkeypatch.setattr(labels, "list_objects", lambda *_, **__: listed)

    # WHEN
    found = read_labels("b", "labels", CLASSES, s3=s3)

    # THEN
    assert names(found) == [("x", "bicycle")]
    assert found.messages["malformed"] == ["labels/a.csv: the file was deleted while the labels were read"]
