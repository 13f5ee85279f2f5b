from pathlib import Path

import pytest

from evaluation.captures import (
    Captures,
    count_other_records,
    read_directory,
    read_new_files,
)
from tests.unit.evaluation.runs import capture_line, make_png
from tests.unit.staging.fakes import FakeS3

IMAGE = make_png()


def test_all_lines_of_all_files_are_read_and_malformed_lines_listed(tmp_path: Path) -> None:
    # GIVEN
    hour = tmp_path / "AllTraffic" / "2026" / "03" / "01" / "12"
    hour.mkdir(parents=True)
    later = capture_line(IMAGE, [0.9, 0.1], time="2026-03-01T12:00:09Z", event_id="later")
    earlier = capture_line(IMAGE, [0.8, 0.2], time="2026-03-01T12:00:01Z", event_id="earlier")
    (hour / "00-00-000-a.jsonl").write_bytes(later + b"\nmalformed\n" + earlier + b"\n")
    (hour / "00-01-000-b.jsonl").write_bytes(capture_line(IMAGE, [0.7, 0.3], event_id="first"))
    (hour / "notes.txt").write_text("not a capture file")

    # WHEN
    captures = read_directory(tmp_path, classes=2)

    # THEN
    assert [record.event_id for record in captures.records()] == ["first", "earlier", "later"]
    assert len(captures.files) == 2
    assert [(each.line, each.reason) for each in captures.malformed] == [(2, "not JSON")]
    assert captures.malformed[0].file.endswith("00-00-000-a.jsonl")


def put_captures(s3: FakeS3, model: str, endpoint: str, *event_ids: str) -> None:
    """Put a capture file with a record for each ID."""
    lines = [capture_line(IMAGE, [0.9, 0.1], event_id=event_id) for event_id in event_ids]
    key = f"data_capture/{model}/{endpoint}/AllTraffic/2026/03/01/12/00-00-000-x.jsonl"
    s3.put_object(Bucket="b", Key=key, Body=b"\n".join(lines) + b"\n")


def test_only_new_files_of_the_endpoint_and_model_are_read() -> None:
    # GIVEN two endpoints, one with a name that starts with the other's, and two models, v1 and v11
    s3 = FakeS3()
    put_captures(s3, "v1", "cars", "wanted")
    put_captures(s3, "v1", "cars-2", "other endpoint")
    put_captures(s3, "v11", "cars", "other model")
    captures = Captures()

    # WHEN
    for _ in range(2):
        read_new_files("s3://b/data_capture/v1", "cars", captures, classes=2, s3=s3)

    # THEN
    assert [record.event_id for record in captures.records()] == ["wanted"]


def test_file_that_is_deleted_after_it_was_listed_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3, captures = FakeS3(), Captures()
    put_captures(s3, "v1", "cars", "deleted")
    monkeypatch.setattr(s3, "get_object", FakeS3().get_object)

    # WHEN
    read_new_files("s3://b/data_capture/v1", "cars", captures, classes=2, s3=s3)

    # THEN
    assert captures.records() == []
    assert captures.malformed == []


def test_records_of_the_endpoints_other_models_are_counted() -> None:
    # GIVEN
    s3, captures = FakeS3(), Captures()
    put_captures(s3, "v1", "cars", "shown")
    put_captures(s3, "v2", "cars", "a", "b")
    put_captures(s3, "v10", "cars", "c")
    put_captures(s3, "v1", "cars-2", "other endpoint")
    read_new_files("s3://b/data_capture/v1", "cars", captures, classes=2, s3=s3)

    # WHEN / THEN
    assert count_other_records("s3://b/data_capture", "cars", captures, s3=s3) == 3
