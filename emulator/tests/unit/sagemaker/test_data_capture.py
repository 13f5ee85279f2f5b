"""Data capture records have SageMaker's format."""

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sagelocal.services.sagemaker.data_capture import Exchange, record

MOMENT = datetime(2024, 10, 15, 14, 5, 12, 996_000, tzinfo=UTC)
# CONTENT_TYPES and CAPTURE_CONFIG are the configuration of the real endpoint whose records the tests reproduce.
CONTENT_TYPES = {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]}
CAPTURE_CONFIG = {
    "EnableCapture": True,
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": CONTENT_TYPES,
}
EXCHANGE = Exchange("image/png", b"\x89PNG\r\n", "application/json", b"[0.9388836622238159, 0.061116307973861694]")


def test_record_has_the_format_of_sagemaker() -> None:
    # WHEN
    made = record(CAPTURE_CONFIG, EXCHANGE, MOMENT)
    event_id = made["eventMetadata"]["eventId"]
    # THEN it equals a record that a real endpoint captured in October 2024, except for the image and the event ID
    assert json.dumps(made, separators=(",", ":")) == (
        '{"captureData":{"endpointInput":{"observedContentType":"image/png","mode":"INPUT",'
        '"data":"iVBORw0K","encoding":"BASE64"},'
        '"endpointOutput":{"observedContentType":"application/json","mode":"OUTPUT",'
        '"data":"[0.9388836622238159, 0.061116307973861694]","encoding":"JSON"}},'
        f'"eventMetadata":{{"eventId":"{event_id}","inferenceTime":"2024-10-15T14:05:12Z"}},"eventVersion":"0"}}'
    )
    assert len(event_id) == 36


@pytest.mark.parametrize(
    ("content_type", "header", "encoding"),
    [
        ("application/json", CONTENT_TYPES, "JSON"),
        ("application/json; charset=utf-8", CONTENT_TYPES, "JSON"),
        ("text/csv", CONTENT_TYPES, "CSV"),
        ("text/plain", CONTENT_TYPES, "BASE64"),
        ("application/json", {}, "BASE64"),
    ],
    ids=["json", "json with charset", "csv", "not listed", "nothing listed"],
)
def test_only_content_types_in_the_configuration_are_captured_as_text(
    content_type: str, header: dict[str, Any], encoding: str
) -> None:
    # GIVEN
    exchange = Exchange("image/png", b"x", content_type, "[ü]".encode())
    # WHEN
    output = record({**CAPTURE_CONFIG, "CaptureContentTypeHeader": header}, exchange, MOMENT)["captureData"][
        "endpointOutput"
    ]
    # THEN
    assert output["encoding"] == encoding
    assert output["observedContentType"] == content_type
    assert output["data"] == (base64.b64encode("[ü]".encode()).decode() if encoding == "BASE64" else "[ü]")


@pytest.mark.parametrize(
    ("modes", "sides"),
    [
        (["Input"], ["endpointInput"]),
        (["Output"], ["endpointOutput"]),
        (["InputAndOutput"], ["endpointInput", "endpointOutput"]),
    ],
    ids=["input", "output", "both in one"],
)
def test_capture_options_select_input_and_output(modes: list[str], sides: list[str]) -> None:
    # WHEN
    made = record({**CAPTURE_CONFIG, "CaptureOptions": [{"CaptureMode": mode} for mode in modes]}, EXCHANGE, MOMENT)
    # THEN
    assert list(made["captureData"]) == sides


def test_record_contains_the_inference_id() -> None:
    # GIVEN
    exchange = Exchange("image/png", b"x", "application/json", b"[]", "seven")
    # WHEN
    metadata = record(CAPTURE_CONFIG, exchange, MOMENT)["eventMetadata"]
    # THEN
    assert list(metadata) == ["eventId", "inferenceId", "inferenceTime"]
    assert metadata["inferenceId"] == "seven"


@pytest.fixture
def real_lines() -> list[str]:
    """Lines of capture files of a real endpoint, below the folder that the environment variable DATA_CAPTURE names."""
    folder = os.environ.get("DATA_CAPTURE")
    if not folder:
        pytest.skip("set DATA_CAPTURE to a folder of .jsonl files that a real endpoint captured")
    lines = [line for path in sorted(Path(folder).rglob("*.jsonl")) for line in path.read_text().splitlines()]
    assert lines, f"{folder} has no capture files"
    return lines


def decoded(side: dict[str, str]) -> bytes:
    """Return the bytes of a captured request or response."""
    return base64.b64decode(side["data"]) if side["encoding"] == "BASE64" else side["data"].encode()


def test_real_records_are_reproduced_byte_for_byte(real_lines: list[str]) -> None:
    for line in real_lines:
        # GIVEN
        real = json.loads(line)
        sides = real["captureData"]
        exchange = Exchange(
            sides["endpointInput"]["observedContentType"],
            decoded(sides["endpointInput"]),
            sides["endpointOutput"]["observedContentType"],
            decoded(sides["endpointOutput"]),
            real["eventMetadata"].get("inferenceId"),
        )
        moment = datetime.fromisoformat(real["eventMetadata"]["inferenceTime"])
        # WHEN
        made = record(CAPTURE_CONFIG, exchange, moment)
        made["eventMetadata"]["eventId"] = real["eventMetadata"]["eventId"]
        # THEN
        assert json.dumps(made, separators=(",", ":")) == line
