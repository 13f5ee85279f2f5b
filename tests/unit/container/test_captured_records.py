"""Reading the records in the files that SageMaker's data capture writes: a line per request, in JSON."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.evaluation.runs import capture_line, make_png
from training.container.classifier.captured_records import MalformedRecordError, parse_records, parse_time

IMAGE = make_png()
EVENT_ID = "695344c2-3858-45e5-a14d-33deaf4310c7"


def altered(path: str, **changes: Any) -> bytes:
    """Return a valid capture line after a change of one of its JSON objects.

    Parameters
    ----------
    path : keys of the changed object, separated by dots
    changes : new values by key of the object; None deletes the key
    """
    record = json.loads(capture_line(IMAGE, [0.9, 0.1], event_id=EVENT_ID))
    part = record
    for name in path.split("."):
        part = part[name]
    part.update(changes)
    for name in [name for name, value in changes.items() if value is None]:
        del part[name]
    return json.dumps(record).encode()


@pytest.mark.parametrize("encoding", ["JSON", "BASE64"])
def test_record_is_read_from_a_json_or_base64_response(encoding: str) -> None:
    # WHEN
    (record,) = parse_records(capture_line(IMAGE, [0.2, 0.8], event_id=EVENT_ID, encoding=encoding), classes=2)

    # THEN
    assert record.probabilities == (0.2, 0.8)
    assert (record.class_number, record.confidence) == (1, 0.8)
    assert record.image == IMAGE
    assert record.time == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert record.id == record.event_id == EVENT_ID


@pytest.mark.parametrize(
    "response",
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
        pytest.param({"data": '{"prediction": [0.25, 0.75]}\n', "encoding": "JSON"}, id="json lines"),
        pytest.param(
            {
                "data": base64.b64encode(b'{"prediction": [0.25, 0.75]}\n').decode(),
                "encoding": "BASE64",
                "observedContentType": "application/jsonlines",
            },
            id="json lines in base64",
        ),
    ],
)
def test_probabilities_are_read_from_csv_and_json_lines(response: dict[str, str]) -> None:
    line = altered("captureData.endpointOutput", **response)
    assert [record.probabilities for record in parse_records(line, classes=2)] == [(0.25, 0.75)]


def test_record_has_no_image_if_the_request_was_not_captured() -> None:
    (record,) = parse_records(altered("captureData", endpointInput=None), classes=2)
    assert record.image is None


def test_record_has_the_inference_id_that_the_caller_sent() -> None:
    (record,) = parse_records(altered("eventMetadata", inferenceId="0c1f"), classes=2)
    assert (record.id, record.event_id) == ("0c1f", EVENT_ID)


@pytest.mark.parametrize("value", ["", 7], ids=["empty", "a number"])
def test_event_id_replaces_an_invalid_inference_id(value: object) -> None:
    (record,) = parse_records(altered("eventMetadata", inferenceId=value), classes=2)
    assert record.id == record.event_id


def test_time_is_read_from_a_line_without_a_response() -> None:
    assert parse_time(altered("captureData", endpointOutput=None)) == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


SECOND_IMAGE = make_png(1)
BATCH = json.dumps({"instances": [{"b64": base64.b64encode(image).decode()} for image in (IMAGE, SECOND_IMAGE)]})


def batch_line(response: str, **request: str) -> bytes:
    """Return the capture line of a JSON request with several images.

    Parameters
    ----------
    response : predictions, as a list in JSON
    request : fields of `endpointInput` that are replaced, such as `data`
    """
    record = json.loads(capture_line(IMAGE, []))
    record["captureData"]["endpointInput"].update({"observedContentType": "application/json", **request})
    record["captureData"]["endpointOutput"]["data"] = response
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"data": BATCH, "encoding": "JSON"}, id="JSON"),
        pytest.param({"data": base64.b64encode(BATCH.encode()).decode(), "encoding": "BASE64"}, id="base64"),
    ],
)
def test_request_with_several_images_gives_a_record_for_each_image(request_: dict[str, str]) -> None:
    # WHEN
    records = parse_records(batch_line("[[0.2, 0.8], [0.9, 0.1]]", **request_), classes=2)

    # THEN
    assert [(record.image, record.probabilities) for record in records] == [
        (IMAGE, (0.2, 0.8)),
        (SECOND_IMAGE, (0.9, 0.1)),
    ]
    assert [record.id.partition("/")[2] for record in records] == ["1", "2"]
    assert len({record.event_id for record in records}) == 1


def test_number_is_added_to_the_id_even_if_the_list_has_only_one_image() -> None:
    # GIVEN
    single = json.dumps({"instances": [{"b64": base64.b64encode(IMAGE).decode()}]})

    # WHEN
    (record,) = parse_records(batch_line("[[0.2, 0.8]]", data=single, encoding="JSON"), classes=2)

    # THEN
    assert record.id == f"{record.event_id}/1"


def test_several_predictions_give_records_without_images_if_the_request_was_not_captured() -> None:
    # GIVEN a line with two predictions but without the request
    line = json.loads(batch_line("[[0.2, 0.8], [0.9, 0.1]]"))
    del line["captureData"]["endpointInput"]

    # WHEN / THEN
    records = parse_records(json.dumps(line).encode(), classes=2)
    assert [(record.image, record.class_number) for record in records] == [(None, 1), (None, 0)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"{", "not JSON", id="truncated"),
        pytest.param(b"\xff\xfe", "not JSON", id="not text"),
        pytest.param(b"[" * 100_000, "not JSON", id="deeply nested"),
        pytest.param(b"[]", "no captureData", id="a list"),
        pytest.param(altered("captureData", endpointOutput=None), "no endpointOutput", id="no response"),
        pytest.param(altered("captureData", endpointInput="x"), "no endpointInput", id="request is a string"),
        pytest.param(altered("eventMetadata", inferenceTime="soon"), "is not a time", id="time"),
        pytest.param(altered("eventMetadata", inferenceTime="0001-01-01T00:00:00+23:59"), "is not a time", id="early"),
        pytest.param(altered("eventMetadata", inferenceTime="9999-12-31T23:59:59Z"), "in the years 2000 to", id="late"),
        pytest.param(altered("eventMetadata", eventId=None), "no eventId", id="no event ID"),
        pytest.param(altered("captureData.endpointInput", data="?"), "not base64", id="base64"),
        pytest.param(altered("captureData.endpointInput", encoding="ROT13"), "unknown encoding", id="encoding"),
        pytest.param(altered("captureData.endpointOutput", data="{}"), "not a list of", id="an object"),
        pytest.param(altered("captureData.endpointOutput", data="[0.5, NaN]"), "not a list of", id="NaN"),
        pytest.param(
            altered("captureData.endpointOutput", data=f"[0.5, 1{'0' * 400}]"), "not a list of", id="a huge integer"
        ),
        pytest.param(
            altered("captureData.endpointOutput", data="0_1,0", encoding="CSV"), "not a list of", id="an underscore"
        ),
        pytest.param(altered("captureData.endpointOutput", data="[0.5, true]"), "not a list of", id="a bool"),
        pytest.param(altered("captureData.endpointOutput", data="[1]"), "1 probabilities for 2", id="too few"),
        pytest.param(altered("captureData.endpointOutput", data="[]"), "not a list of", id="empty"),
        pytest.param(
            batch_line("[[0.5, 0.5]]", data=BATCH, encoding="JSON"), "1 predictions for 2 images", id="too few lists"
        ),
        pytest.param(batch_line("[[1], 0.5]", data=BATCH, encoding="JSON"), "1 probabilities", id="a short list"),
        pytest.param(batch_line("[[0, 1], 0.5]", data=BATCH, encoding="JSON"), "not a list of", id="a number"),
        pytest.param(batch_line("[[0, 1]]", data="[]", encoding="JSON"), "^a list of predictions for", id="no images"),
        pytest.param(
            batch_line("[[0, 1]]"),
            "^a list of predictions for a request that is not JSON with images$",
            id="a single image",
        ),
    ],
)
def test_malformed_line_is_rejected_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(MalformedRecordError, match=reason):
        parse_records(line, classes=2)
