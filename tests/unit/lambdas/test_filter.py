"""The function filter returns an image whose confidence reaches the threshold, and raises an error for other images.

The course specifies the error's name, THRESHOLD_CONFIDENCE_NOT_MET.
"""

from types import ModuleType
from typing import Any

import pytest

BODY = {
    "s3_key": "test/image",
    "inferences": [0.07, 0.93],
    "predictions": [{"class": "bicycle", "probability": 0.07}, {"class": "motorcycle", "probability": 0.93}],
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables that Terraform gives the function."""
    monkeypatch.setenv("THRESHOLD", "0.93")


@pytest.mark.parametrize("event", [BODY, {"statusCode": 200, "body": BODY}], ids=["plain", "in an envelope"])
def test_image_at_the_threshold_is_returned_with_its_predicted_class(filtering: ModuleType, event: Any) -> None:
    # WHEN
    result = filtering.handler(event, None)

    # THEN
    assert result == {"statusCode": 200, "body": {**BODY, "class": "motorcycle", "confidence": 0.93}}


def test_log_has_the_execution_the_image_and_the_confidence(
    filtering: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN an image with a confidence below the threshold
    event = {"execution": "some-arn", "body": {**BODY, "s3_bucket": "bucket", "inferences": [0.4, 0.6]}}

    # WHEN
    with caplog.at_level("INFO"), pytest.raises(filtering.THRESHOLD_CONFIDENCE_NOT_MET):
        filtering.handler(event, None)

    # THEN
    (record,) = caplog.records
    assert (record.__dict__["execution"], record.__dict__["image"]) == ("some-arn", "s3://bucket/test/image")
    assert (record.__dict__["class"], record.__dict__["confidence"], record.__dict__["threshold"]) == (
        "motorcycle",
        0.6,
        0.93,
    )


def test_predicted_class_has_the_highest_probability(filtering: ModuleType) -> None:
    # GIVEN
    event = {**BODY, "inferences": [0.99, 0.01]}

    # WHEN
    result = filtering.handler(event, None)

    # THEN
    assert (result["body"]["class"], result["body"]["confidence"]) == ("bicycle", 0.99)


def test_event_without_class_names_is_accepted(filtering: ModuleType) -> None:
    # WHEN
    result = filtering.handler({"inferences": [0.05, 0.95]}, None)

    # THEN
    assert result["body"] == {"inferences": [0.05, 0.95], "confidence": 0.95}


@pytest.mark.parametrize(
    ("inferences", "message"),
    [
        ([0.07, 0.9299], "motorcycle has confidence 0.9299"),
        ([0.6, 0.4], "bicycle has confidence 0.6000"),
        ([0.0, 0.0], "bicycle has confidence 0.0000"),
    ],
    ids=["just below", "low", "zero"],
)
def test_confidence_below_the_threshold_raises_threshold_confidence_not_met(
    filtering: ModuleType, inferences: list[float], message: str
) -> None:
    # GIVEN
    event = {**BODY, "inferences": inferences}

    # WHEN
    with pytest.raises(filtering.THRESHOLD_CONFIDENCE_NOT_MET) as raised:
        filtering.handler(event, None)

    # THEN
    assert type(raised.value).__name__ == "THRESHOLD_CONFIDENCE_NOT_MET"
    assert str(raised.value) == f"{message} for test/image, below the threshold of 0.93"


def test_error_for_an_event_without_class_names_has_the_confidence(filtering: ModuleType) -> None:
    # WHEN / THEN
    with pytest.raises(
        filtering.THRESHOLD_CONFIDENCE_NOT_MET,
        match=r"the predicted class has confidence 0\.5000 for this image, below",
    ):
        filtering.handler({"inferences": [0.5, 0.5]}, None)


@pytest.mark.parametrize(
    "event",
    [
        {"inferences": None},
        {"inferences": "0.93"},
        {"inferences": []},
        {"inferences": ["0.93"]},
        {"inferences": [True]},
        {"inferences": [float("nan"), 0.95]},
        {"inferences": [float("inf")]},
        {"inferences": [-0.1, 0.95]},
        {"inferences": [0.05, 1.1]},
        {"inferences": [10**400]},
        {**BODY, "predictions": None},
        {**BODY, "predictions": BODY["predictions"][:1]},
        {**BODY, "predictions": ["bicycle", "motorcycle"]},
        {**BODY, "predictions": [{"probability": 0.07}, {"probability": 0.93}]},
    ],
    ids=[
        "null inferences",
        "string",
        "no inferences",
        "strings",
        "boolean",
        "not a number",
        "infinite",
        "negative",
        "above 1",
        "too large for a float",
        "null predictions",
        "too few predictions",
        "predictions are strings",
        "predictions without a class",
    ],
)
def test_event_without_valid_probabilities_is_rejected(filtering: ModuleType, event: Any) -> None:
    # WHEN / THEN
    with pytest.raises(filtering.EventError, match=r"^(inferences|predictions) must"):
        filtering.handler(event, None)


@pytest.mark.parametrize("value", [None, "", "high", "nan", "inf", "-0.1", "1.1", "93%"])
def test_missing_or_invalid_threshold_is_rejected(
    filtering: ModuleType, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    # GIVEN
    if value is None:
        monkeypatch.delenv("THRESHOLD")
    else:
        monkeypatch.setenv("THRESHOLD", value)

    # WHEN / THEN
    with pytest.raises(filtering.SettingsError, match="THRESHOLD"):
        filtering.handler(BODY, None)


@pytest.mark.parametrize(("value", "confidence"), [("0", 0.0), ("1", 1.0)])
def test_thresholds_zero_and_one_are_accepted(
    filtering: ModuleType, monkeypatch: pytest.MonkeyPatch, value: str, confidence: float
) -> None:
    # GIVEN
    monkeypatch.setenv("THRESHOLD", value)

    # WHEN
    result = filtering.handler({"inferences": [confidence]}, None)

    # THEN
    assert result["body"]["confidence"] == confidence
