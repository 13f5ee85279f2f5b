"""Records that an endpoint captured are read from files and from S3."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.times import Window
from evaluation import capture_files
from evaluation.capture_files import split_lines
from evaluation.capture_table import ALL_TIME, Captures, read_directory
from evaluation.captures import MalformedLine, count_other_requests, stream_records
from tests.unit.evaluation.runs import capture_line, make_png
from tests.unit.staging.fakes import FakeS3
from training.container.classifier.captured_records import Record

IMAGE = make_png()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def put_lines(s3: FakeS3, *lines: bytes, folder: str = "v1/cars/AllTraffic", hour: datetime = NOON) -> str:
    """Store a capture file with these lines in the folder of an hour, and return the file's key."""
    number = len(s3.objects)
    key = f"data_capture/{folder}/{hour:%Y/%m/%d/%H}/00-{number:02d}-000-x.jsonl"
    s3.put_object(Bucket="b", Key=key, Body=b"\n".join(lines) + b"\n")
    return key


def line_at(moment: datetime, **changes: Any) -> bytes:
    """Return a captured line with this time."""
    return capture_line(IMAGE, [0.9, 0.1], time=f"{moment:%Y-%m-%dT%H:%M:%SZ}", **changes)


def read(s3: FakeS3, window: Window = ALL_TIME) -> Captures:
    """Return the records of model v1 in a time range."""
    captures = Captures(window)
    captures.read_new_files("s3://b/data_capture/v1", "cars", classes=2, s3=s3)
    return captures


def streamed(s3: FakeS3, window: Window = ALL_TIME) -> list[Record | MalformedLine]:
    """Return the records and malformed lines of model v1 in a time range, read with `stream_records`."""
    return list(stream_records("s3://b/data_capture/v1", "cars", window, classes=2, s3=s3))


def ids(captures: Captures) -> list[str]:
    """Return the IDs of all records in order of time."""
    return [prediction.id for prediction in captures.predictions()]


def test_all_lines_of_all_files_are_read_and_malformed_lines_named(tmp_path: Path) -> None:
    # GIVEN
    hour = tmp_path / "AllTraffic" / "2026" / "03" / "01" / "12"
    hour.mkdir(parents=True)
    later = capture_line(IMAGE, [0.9, 0.1], time="2026-03-01T12:00:09Z", event_id="later")
    earlier = capture_line(IMAGE, [0.8, 0.2], time="2026-03-01T12:00:01Z", event_id="earlier")
    (hour / "00-00-000-a.jsonl").write_bytes(later + b"\nmalformed\n\n" + earlier + b"\n")
    (hour / "00-01-000-b.jsonl").write_bytes(capture_line(IMAGE, [0.7, 0.3], event_id="first"))
    (hour / "notes.txt").write_text("not a capture file")

    # WHEN
    captures = read_directory(tmp_path, classes=2)

    # THEN
    assert ids(captures) == ["first", "earlier", "later"]
    assert captures.files == 2
    assert [(each.line, each.reason) for each in captures.malformed_lines] == [(2, "not JSON")]
    assert captures.malformed_lines[0].file.endswith("00-00-000-a.jsonl")


def test_only_new_files_of_the_endpoint_and_model_are_read() -> None:
    # GIVEN records of the endpoints cars and cars-2, and of the models v1 and v11
    s3 = FakeS3()
    put_lines(s3, line_at(NOON, event_id="first"))
    put_lines(s3, line_at(NOON, event_id="other endpoint"), folder="v1/cars-2/AllTraffic")
    put_lines(s3, line_at(NOON, event_id="other model"), folder="v11/cars/AllTraffic")
    captures = read(s3)

    # WHEN another file of this endpoint and model is written
    put_lines(s3, line_at(NOON, event_id="new"), folder="v1/cars/Shadow")
    captures.read_new_files("s3://b/data_capture/v1", "cars", classes=2, s3=s3)

    # THEN
    assert sorted(ids(captures)) == ["first", "new"]
    assert captures.duplicates == 0


def test_file_that_is_deleted_after_it_was_listed_has_no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3()
    put_lines(s3, line_at(NOON))
    monkeypatch.setattr(s3, "get_object", FakeS3().get_object)

    # WHEN / THEN
    assert streamed(s3) == []


def test_requests_to_other_models_of_the_endpoint_are_counted_in_the_time_range() -> None:
    # GIVEN
    s3 = FakeS3()
    put_lines(s3, line_at(NOON))
    put_lines(s3, line_at(NOON), line_at(NOON), b"malformed", folder="v2/cars/AllTraffic")
    put_lines(s3, line_at(NOON + timedelta(minutes=59)), folder="v10/cars/AllTraffic")
    put_lines(s3, line_at(NOON + timedelta(hours=1)), folder="v10/cars/AllTraffic", hour=NOON + timedelta(hours=1))
    put_lines(s3, line_at(NOON), folder="v2/cars-2/AllTraffic")

    # WHEN / THEN
    window = Window(NOON, NOON + timedelta(hours=1))
    assert count_other_requests("s3://b/data_capture", "cars", "v1", window, s3=s3) == 3


def test_records_are_selected_by_their_time_and_not_by_the_folder_of_their_file() -> None:
    # GIVEN records around the start and end of a range from 11:55 to 12:05, in files of the hours 11 and 13
    s3 = FakeS3()
    start, end = NOON - timedelta(minutes=5), NOON + timedelta(minutes=5)
    moments = {"early": -6, "first": -5, "noon": 0, "last": 4, "late": 5}
    lines = {name: line_at(NOON + timedelta(minutes=minutes), event_id=name) for name, minutes in moments.items()}
    put_lines(s3, lines["early"], lines["first"], lines["noon"], hour=NOON - timedelta(hours=1))
    put_lines(s3, lines["last"], lines["late"], hour=NOON + timedelta(hours=1))

    # WHEN
    captures = read(s3, Window(start, end))

    # THEN
    assert ids(captures) == ["first", "noon", "last"]
    assert captures.skewed == 0


def test_only_files_of_the_range_and_of_the_hours_before_and_after_it_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3, opened = FakeS3(), list[str]()

    def get_object(*, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  boto3's argument names
        opened.append(Key)
        return FakeS3.get_object(s3, Bucket=Bucket, Key=Key)

    keys = [put_lines(s3, line_at(NOON), hour=NOON + timedelta(hours=hours)) for hours in (-26, -2, -1, 0, 1, 2, 50)]
    monkeypatch.setattr(s3, "get_object", get_object)

    # WHEN
    streamed(s3, Window(NOON, NOON + timedelta(minutes=59)))

    # THEN
    assert sorted(opened) == keys[2:5]


def test_only_the_latest_of_several_records_with_the_same_id_is_kept() -> None:
    # GIVEN an image that was classified three times, and another request at the time of the latest record
    s3 = FakeS3()
    put_lines(
        s3,
        capture_line(IMAGE, [0.7, 0.3], time="2026-03-01T12:00:05Z", inference_id="one"),
        capture_line(IMAGE, [0.4, 0.6], time="2026-03-01T12:00:09Z", inference_id="one"),
        capture_line(IMAGE, [0.8, 0.2], time="2026-03-01T12:00:09Z", inference_id="two"),
    )
    put_lines(s3, capture_line(IMAGE, [0.9, 0.1], time="2026-03-01T12:00:01Z", inference_id="one"))

    # WHEN
    captures = read(s3)

    # THEN
    assert {each.id: (each.class_number, each.confidence) for each in captures.predictions()} == {
        "one": (1, 0.6),
        "two": (0, 0.8),
    }
    assert captures.duplicates == 2


def test_records_whose_time_contradicts_the_folder_of_their_file_are_counted() -> None:
    # GIVEN records of noon, an hour before and 30 hours later, in a file of the hour from noon
    s3 = FakeS3()
    put_lines(s3, line_at(NOON), line_at(NOON - timedelta(hours=1)), line_at(NOON + timedelta(hours=30)))

    # WHEN
    captures = read(s3)

    # THEN
    assert (len(captures), captures.skewed) == (3, 1)


def test_all_malformed_lines_are_counted_and_the_first_100_named() -> None:
    # GIVEN
    s3 = FakeS3()
    put_lines(s3, *[b"?"] * 250)

    # WHEN
    captures = read(s3)

    # THEN
    assert (len(captures), captures.malformed, len(captures.malformed_lines)) == (0, 250, 100)


def test_malformed_lines_in_files_of_other_hours_are_not_counted() -> None:
    # GIVEN
    s3 = FakeS3()
    for hours in (-1, 0, 1):
        put_lines(s3, b"malformed", hour=NOON + timedelta(hours=hours))

    # WHEN / THEN
    assert read(s3, Window(NOON, NOON + timedelta(hours=1))).malformed == 1


def test_a_line_that_is_too_long_is_malformed_and_the_next_line_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    line = line_at(NOON)
    monkeypatch.setattr(capture_files, "MAX_LINE_BYTES", len(line))
    monkeypatch.setattr("evaluation.capture_files.CHUNK_BYTES", 100)
    monkeypatch.setattr("evaluation.capture_files.MAX_BYTES_AHEAD", 0)
    s3 = FakeS3()
    put_lines(s3, line + b" ", line)

    # WHEN
    malformed, record = streamed(s3)

    # THEN
    assert isinstance(malformed, MalformedLine)
    assert malformed.reason.startswith("longer than")
    assert isinstance(record, Record)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_content_is_split_into_the_same_lines_for_chunks_of_any_size(size: int) -> None:
    # GIVEN
    content = b"first\n\n  \nsecond line\r\nlast"

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    # WHEN
    lines = list(split_lines("a.jsonl", chunks()))

    # THEN
    assert [(line.number, line.content) for line in lines] == [(1, b"first"), (4, b"second line\r"), (5, b"last")]
    assert [content[line.offset : line.offset + line.size] for line in lines] == [line.content for line in lines]


def test_the_images_of_predictions_can_be_read_from_the_capture_files() -> None:
    # GIVEN a request with one image, and a request with two images
    s3 = FakeS3()
    images = [make_png(number) for number in range(3)]
    batch = json.loads(capture_line(b"", []))
    instances = {"instances": [{"b64": base64.b64encode(image).decode()} for image in images[1:]]}
    batch["captureData"]["endpointInput"].update(encoding="JSON", data=json.dumps(instances))
    batch["captureData"]["endpointOutput"]["data"] = "[[0.9, 0.1], [0.2, 0.8]]"
    put_lines(s3, capture_line(images[0], [0.6, 0.4], time="2026-03-01T11:59:59Z"), json.dumps(batch).encode())

    # WHEN
    captures = read(s3)

    # THEN
    assert captures.images(list(captures.predictions())) == images


def test_the_image_is_none_if_its_capture_file_was_deleted_meanwhile() -> None:
    # GIVEN
    s3 = FakeS3()
    key = put_lines(s3, line_at(NOON))
    captures = read(s3)

    # WHEN
    s3.delete_object(Bucket="b", Key=key)

    # THEN
    assert captures.images(list(captures.predictions())) == [None]


def test_an_id_with_an_unpaired_surrogate_is_stored_with_a_question_mark() -> None:
    # GIVEN
    captures = Captures()

    # WHEN
    captures.add("a.jsonl", line_at(NOON, event_id="\ud800"), classes=2)

    # THEN
    assert ids(captures) == ["?"]


def test_a_sample_of_the_records_is_taken_at_equal_distances() -> None:
    # GIVEN
    captures = Captures()
    captures.add("a.jsonl", b"\n".join(line_at(NOON + timedelta(seconds=each)) for each in range(10)), classes=2)

    # WHEN / THEN
    assert [each.time.second for each in captures.sample(5)] == [1, 3, 5, 7, 9]
    assert len(captures.sample(10)) == 10
