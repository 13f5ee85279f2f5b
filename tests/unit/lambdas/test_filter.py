"""The threshold: met exactly it passes, and below it the execution fails under the name that was agreed."""

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
    """The environment that Terraform gives the function."""
    monkeypatch.setenv("THRESHOLD", "0.93")


@pytest.mark.parametrize("event", [BODY, {"statusCode": 200, "body": BODY}], ids=["plain", "in a body"])
def test_the_threshold_met_exactly_passes_with_class_and_confidence(filtering: ModuleType, event: Any) -> None:
    # WHEN
    answer = filtering.handler(event, None)

    # THEN
    assert answer == {"statusCode": 200, "body": {**BODY, "class": "motorcycle", "confidence": 0.93}}


def test_the_log_says_how_sure_it_is_of_which_image_in_which_execution(
    filtering: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN an image that does not pass
    event = {"execution": "some-arn", "body": {**BODY, "s3_bucket": "bucket", "inferences": [0.4, 0.6]}}

    # WHEN
    with caplog.at_level("INFO"), pytest.raises(filtering.THRESHOLD_CONFIDENCE_NOT_MET):
        filtering.handler(event, None)

    # THEN
    (line,) = caplog.records
    assert (line.__dict__["execution"], line.__dict__["image"]) == ("some-arn", "s3://bucket/test/image")
    assert (line.__dict__["class"], line.__dict__["confidence"], line.__dict__["threshold"]) == (
        "motorcycle",
        0.6,
        0.93,
    )


def test_the_best_class_may_be_any(filtering: ModuleType) -> None:
    # GIVEN
    event = {**BODY, "inferences": [0.99, 0.01]}

    # WHEN
    answer = filtering.handler(event, None)

    # THEN
    assert (answer["body"]["class"], answer["body"]["confidence"]) == ("bicycle", 0.99)


def test_inferences_alone_are_enough(filtering: ModuleType) -> None:
    # WHEN
    answer = filtering.handler({"inferences": [0.05, 0.95]}, None)

    # THEN
    assert answer["body"] == {"inferences": [0.05, 0.95], "confidence": 0.95}


@pytest.mark.parametrize(
    ("inferences", "said"),
    [([0.07, 0.9299], "motorcycle at 0.9299"), ([0.6, 0.4], "bicycle at 0.6000"), ([0.0, 0.0], "bicycle at 0.0000")],
    ids=["just below", "doubtful", "nothing"],
)
def test_below_the_threshold_it_fails_under_its_agreed_name(
    filtering: ModuleType, inferences: list[float], said: str
) -> None:
    # GIVEN
    event = {**BODY, "inferences": inferences}

    # WHEN
    with pytest.raises(filtering.THRESHOLD_CONFIDENCE_NOT_MET) as raised:
        filtering.handler(event, None)

    # THEN
    assert type(raised.value).__name__ == "THRESHOLD_CONFIDENCE_NOT_MET"
    assert str(raised.value) == f"{said} is below the threshold of 0.93 for test/image"


def test_the_failure_can_be_told_without_names(filtering: ModuleType) -> None:
    # WHEN / THEN
    with pytest.raises(filtering.THRESHOLD_CONFIDENCE_NOT_MET, match=r"the best class at 0\.5000 .* for this image"):
        filtering.handler({"inferences": [0.5, 0.5]}, None)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"body": None},
        {"body": "text"},
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
        "null",
        "list",
        "empty",
        "null body",
        "text body",
        "null inferences",
        "text",
        "no inferences",
        "texts",
        "boolean",
        "not a number",
        "infinite",
        "negative",
        "above 1",
        "beyond any float",
        "null predictions",
        "too few predictions",
        "predictions of text",
        "predictions without a class",
    ],
)
def test_an_event_without_probabilities_is_refused(filtering: ModuleType, event: Any) -> None:
    # WHEN / THEN
    with pytest.raises(filtering.EventError):
        filtering.handler(event, None)


@pytest.mark.parametrize("value", [None, "", "high", "nan", "inf", "-0.1", "1.1", "93%"])
def test_a_missing_or_bad_threshold_is_refused(
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
def test_the_bounds_are_thresholds(
    filtering: ModuleType, monkeypatch: pytest.MonkeyPatch, value: str, confidence: float
) -> None:
    # GIVEN
    monkeypatch.setenv("THRESHOLD", value)

    # WHEN
    answer = filtering.handler({"inferences": [confidence]}, None)

    # THEN
    assert answer["body"]["confidence"] == confidence
