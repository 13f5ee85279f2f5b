import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evaluation.captures import (
    LARGEST_IMAGE,
    Captures,
    ImageRefusedError,
    MalformedRecordError,
    open_image,
    parse_records,
    read_directory,
    read_endpoint,
)
from tests.unit.evaluation.runs import capture_line, make_png
from tests.unit.staging.fakes import FakeS3

IMAGE = make_png()


def changed(part: str, **changes: Any) -> bytes:
    """A line with something else in one part of it; None takes a key away."""
    record = json.loads(capture_line(IMAGE, [0.9, 0.1]))
    place = record
    for name in part.split("."):
        place = place[name]
    place.update(changes)
    for name in [name for name, value in changes.items() if value is None]:
        del place[name]
    return json.dumps(record).encode()


@pytest.mark.parametrize("encoding", ["JSON", "BASE64"])
def test_a_record_is_read_however_the_answer_is_encoded(encoding: str) -> None:
    # WHEN
    (record,) = parse_records(capture_line(IMAGE, [0.2, 0.8], encoding=encoding), classes=2)

    # THEN
    assert record.probabilities == (0.2, 0.8)
    assert (record.class_number, record.confidence) == (1, 0.8)
    assert record.image == IMAGE
    assert record.time == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert record.event_id == "695344c2-3858-45e5-a14d-33deaf4310c7"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"data": "0.25,0.75", "encoding": "CSV"}, id="csv"),
        pytest.param(
            {
                "data": base64.b64encode(b"0.25,0.75\n").decode(),
                "encoding": "BASE64",
                "observedContentType": "text/csv; charset=utf-8",
            },
            id="csv in base64",
        ),
    ],
)
def test_answers_may_be_csv(answer: dict[str, str]) -> None:
    line = changed("captureData.endpointOutput", **answer)
    assert [record.probabilities for record in parse_records(line, classes=2)] == [(0.25, 0.75)]


def test_where_only_answers_are_captured_there_is_no_image() -> None:
    (record,) = parse_records(changed("captureData", endpointInput=None), classes=2)
    assert record.image is None


OTHER = make_png(1)
BATCH = json.dumps({"instances": [{"b64": base64.b64encode(image).decode()} for image in (IMAGE, OTHER)]})


def batch_line(answer: str, **request: str) -> bytes:
    """A line of a request with several images, which AWS captures as the JSON that it is."""
    record = json.loads(capture_line(IMAGE, []))
    record["captureData"]["endpointInput"].update({"observedContentType": "application/json", **request})
    record["captureData"]["endpointOutput"]["data"] = answer
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"data": BATCH, "encoding": "JSON"}, id="JSON"),
        pytest.param({"data": base64.b64encode(BATCH.encode()).decode(), "encoding": "BASE64"}, id="base64"),
    ],
)
def test_a_request_with_several_images_is_a_record_for_each(request_: dict[str, str]) -> None:
    # WHEN
    records = parse_records(batch_line("[[0.2, 0.8], [0.9, 0.1]]", **request_), classes=2)

    # THEN
    assert [(record.image, record.probabilities) for record in records] == [(IMAGE, (0.2, 0.8)), (OTHER, (0.9, 0.1))]
    assert len({record.event_id for record in records}) == 2


def test_where_only_answers_are_captured_each_of_several_is_a_record_without_an_image() -> None:
    # GIVEN
    line = json.loads(batch_line("[[0.2, 0.8], [0.9, 0.1]]"))
    del line["captureData"]["endpointInput"]

    # WHEN / THEN
    records = parse_records(json.dumps(line).encode(), classes=2)
    assert [(record.image, record.class_number) for record in records] == [(None, 1), (None, 0)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"{", "no JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "no JSON", id="no text"),
        pytest.param(b"[" * 100_000, "no JSON", id="nested"),
        pytest.param(b"[]", "no captureData", id="a list"),
        pytest.param(changed("captureData", endpointOutput=None), "no endpointOutput", id="no answer"),
        pytest.param(changed("captureData", endpointInput="x"), "no endpointInput", id="input is text"),
        pytest.param(changed("eventMetadata", inferenceTime="soon"), "is no time", id="time"),
        pytest.param(changed("eventMetadata", eventId=None), "no eventId", id="no event"),
        pytest.param(changed("captureData.endpointInput", data="?"), "no base64", id="base64"),
        pytest.param(changed("captureData.endpointInput", encoding="ROT13"), "unknown encoding", id="encoding"),
        pytest.param(changed("captureData.endpointOutput", data="{}"), "no list of", id="an object"),
        pytest.param(changed("captureData.endpointOutput", data="[0.5, NaN]"), "no list of", id="not a number"),
        pytest.param(changed("captureData.endpointOutput", data="[0.5, true]"), "no list of", id="a truth"),
        pytest.param(changed("captureData.endpointOutput", data="[1]"), "1 probabilities for 2", id="too few"),
        pytest.param(changed("captureData.endpointOutput", data="[]"), "no list of", id="empty"),
        pytest.param(batch_line("[[0.5, 0.5]]", data=BATCH, encoding="JSON"), "1 answers for 2 images", id="images"),
        pytest.param(batch_line("[[1], 0.5]", data=BATCH, encoding="JSON"), "1 probabilities", id="one too short"),
        pytest.param(batch_line("[[0, 1], 0.5]", data=BATCH, encoding="JSON"), "no list of", id="one is no list"),
        pytest.param(batch_line("[[0, 1]]", data="[]", encoding="JSON"), "no JSON with images", id="no images"),
        pytest.param(batch_line("[[0, 1]]"), "no JSON with images", id="one image, several answers"),
    ],
)
def test_a_line_that_is_no_record_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(MalformedRecordError, match=reason):
        parse_records(line, classes=2)


def test_every_line_of_every_file_is_read_and_the_broken_are_named(tmp_path: Path) -> None:
    # GIVEN
    hour = tmp_path / "AllTraffic" / "2026" / "03" / "01" / "12"
    hour.mkdir(parents=True)
    later = capture_line(IMAGE, [0.9, 0.1], time="2026-03-01T12:00:09Z", event_id="later")
    earlier = capture_line(IMAGE, [0.8, 0.2], time="2026-03-01T12:00:01Z", event_id="earlier")
    (hour / "00-00-000-a.jsonl").write_bytes(later + b"\nbroken\n" + earlier + b"\n")
    (hour / "00-01-000-b.jsonl").write_bytes(capture_line(IMAGE, [0.7, 0.3], event_id="first"))
    (hour / "notes.txt").write_text("not a capture file")

    # WHEN
    captures = read_directory(tmp_path, classes=2)

    # THEN
    assert [record.event_id for record in captures.records()] == ["first", "earlier", "later"]
    assert len(captures.files) == 2
    assert [(each.line, each.reason) for each in captures.malformed] == [(2, "no JSON")]
    assert captures.malformed[0].file.endswith("00-00-000-a.jsonl")


def test_only_the_endpoints_own_files_are_read_and_each_once() -> None:
    # GIVEN two endpoints, of which one's name begins with the other's
    s3 = FakeS3()
    for endpoint in ("cars", "cars-2"):
        key = f"data_capture/{endpoint}/AllTraffic/2026/03/01/12/00-00-000-x.jsonl"
        s3.put_object(Bucket="b", Key=key, Body=capture_line(IMAGE, [0.9, 0.1], event_id=endpoint))
    captures = Captures()

    # WHEN
    for _ in range(2):
        read_endpoint(s3, "s3://b/data_capture", "cars", captures, classes=2)

    # THEN
    assert [record.event_id for record in captures.records()] == ["cars"]


def test_an_image_is_decoded_as_rgb() -> None:
    assert open_image(IMAGE).mode == "RGB"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "no PNG or JPEG", id="empty"),
        pytest.param(b"GIF89a" + bytes(100), "no PNG or JPEG", id="another format"),
        pytest.param(IMAGE[:200], "no PNG or JPEG", id="cut off"),
        pytest.param(bytes(LARGEST_IMAGE + 1), "bytes are more than", id="many bytes"),
    ],
)
def test_what_is_no_image_or_too_large_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ImageRefusedError, match=reason):
        open_image(data)


def test_an_image_of_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a cap that a small image passes
    monkeypatch.setattr("evaluation.captures.MOST_PIXELS", 40 * 25)
    open_image(make_png(size=(40, 25)))

    # WHEN / THEN
    with pytest.raises(ImageRefusedError, match="40 x 26 pixels are more than 1000"):
        open_image(make_png(size=(40, 26)))
