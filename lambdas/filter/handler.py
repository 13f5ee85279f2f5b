"""Filter: fail if the confidence, which is the highest class probability, is below the threshold."""

import logging
import os
from collections.abc import Mapping
from typing import Any

logger = logging.getLogger()


class SettingsError(Exception):
    """An environment variable of the function is missing or invalid."""


class EventError(Exception):
    """The event does not have the expected format."""


class THRESHOLD_CONFIDENCE_NOT_MET(Exception):  # noqa: N801, N818 (the course specifies this error name)
    """The confidence is below the threshold."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Return the confidence and the predicted class, or fail if the confidence is below the threshold.

    Returns
    -------
    dict
        `statusCode` 200, and the event's body with `confidence` (the highest probability) and, if the body has
        `predictions`, `class` (the name of the class with this probability).

    Raises
    ------
    THRESHOLD_CONFIDENCE_NOT_MET
        The confidence is below the threshold.
    SettingsError, EventError
        The execution fails with the exception's name as its error.
    """
    threshold = threshold_of(os.environ.get("THRESHOLD", ""))
    body = body_of(event)
    inferences, names = inferences_of(body), class_names(body)
    confidence = max(inferences)
    name = names[inferences.index(confidence)] if names else None
    uri = f"s3://{body.get('s3_bucket')}/{body.get('s3_key')}"
    prediction = {"class": name, "confidence": confidence, "threshold": threshold}
    # a CloudWatch metric filter reads the confidence from this log record
    logger.info("comparing confidence", extra={"execution": event.get("execution"), "image": uri, **prediction})
    if confidence < threshold:
        raise THRESHOLD_CONFIDENCE_NOT_MET(
            f"{name or 'the predicted class'} has confidence {confidence:.4f} for {body.get('s3_key', 'this image')}, "
            f"below the threshold of {threshold:g}"
        )
    predicted = {"class": name} if name else {}
    return {"statusCode": 200, "body": {**body, **predicted, "confidence": confidence}}


def threshold_of(text: str) -> float:
    """Return the threshold, a number between 0 and 1."""
    try:
        threshold = float(text)
    except ValueError as error:
        raise SettingsError(f"THRESHOLD must be a number between 0 and 1 (got {text!r})") from error
    if not 0 <= threshold <= 1:
        raise SettingsError(f"THRESHOLD must be a number between 0 and 1 (got {text!r})")
    return threshold


def body_of(event: Any) -> Mapping[str, Any]:
    """Return the body of an event; serialize/handler.py describes the format."""
    body = event.get("body", event) if isinstance(event, Mapping) else None
    if not isinstance(body, Mapping):
        raise EventError(f"the event, or its body, must be an object (got {event!r:.100})")
    return body


def inferences_of(body: Mapping[str, Any]) -> list[float]:
    """Return the probabilities, one for each class."""
    inferences = body.get("inferences")
    if not isinstance(inferences, list) or not inferences or not all(map(is_probability, inferences)):
        raise EventError(f"inferences must be a non-empty list of probabilities (got {inferences!r:.100})")
    return inferences


def class_names(body: Mapping[str, Any]) -> list[Any]:
    """Return the class names in the order of `inferences`; an empty list if the body has no `predictions`."""
    predictions = body.get("predictions", [])
    named = isinstance(predictions, list) and all(isinstance(p, Mapping) and "class" in p for p in predictions)
    if not named or len(predictions) not in (0, len(body["inferences"])):
        raise EventError(f"predictions must have a class for each inference (got {predictions!r:.100})")
    return [prediction["class"] for prediction in predictions]


def is_probability(value: Any) -> bool:
    """Return whether a value is a number between 0 and 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= 1
