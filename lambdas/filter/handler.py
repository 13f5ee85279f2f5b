"""Filter: pass on what the model is sure enough of, and fail loudly otherwise."""

import logging
import os
from collections.abc import Mapping
from typing import Any

logger = logging.getLogger()


class SettingsError(Exception):
    """The function's environment lacks a threshold."""


class EventError(Exception):
    """The event carries no predictions."""


class THRESHOLD_CONFIDENCE_NOT_MET(Exception):  # noqa: N801, N818 (the execution fails under this very name)
    """The highest probability is below the threshold."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Hold the highest probability against the threshold.

    Returns
    -------
    dict
        `statusCode` 200 and the body with `confidence`, the highest probability, and `class`, its class's name
        where the body has `predictions`.

    Raises
    ------
    THRESHOLD_CONFIDENCE_NOT_MET
        It is below the threshold.
    SettingsError, EventError
        Each as its name says.
    """
    threshold = threshold_of(os.environ)
    body = body_of(event)
    inferences = body["inferences"]
    confidence = max(inferences)
    names = [prediction["class"] for prediction in body.get("predictions", [])]
    name = names[inferences.index(confidence)] if names else None
    place = f"s3://{body.get('s3_bucket')}/{body.get('s3_key')}"
    said = {"class": name, "confidence": confidence, "threshold": threshold}
    logger.info("judges", extra={"execution": event.get("execution"), "image": place, **said})
    if confidence < threshold:
        raise THRESHOLD_CONFIDENCE_NOT_MET(
            f"{name or 'the best class'} at {confidence:.4f} is below the threshold of {threshold:g} "
            f"for {body.get('s3_key', 'this image')}"
        )
    best = {"class": name} if name else {}
    return {"statusCode": 200, "body": {**body, **best, "confidence": confidence}}


def threshold_of(environment: Mapping[str, str]) -> float:
    """The threshold, from 0 to 1."""
    text = environment.get("THRESHOLD", "")
    try:
        threshold = float(text)
    except ValueError as error:
        raise SettingsError(f"THRESHOLD must be a number from 0 to 1, not {text!r}") from error
    if not 0 <= threshold <= 1:
        raise SettingsError(f"THRESHOLD must be a number from 0 to 1, not {text!r}")
    return threshold


def body_of(event: Any) -> Mapping[str, Any]:
    """What the function before passed on: the event, or its body."""
    body = event.get("body", event) if isinstance(event, Mapping) else None
    if not isinstance(body, Mapping):
        raise EventError("the event must be an object with inferences, a list of probabilities")
    inferences, predictions = body.get("inferences"), body.get("predictions", [])
    if not isinstance(inferences, list) or not inferences or not all(map(is_probability, inferences)):
        raise EventError("the event must have inferences, a list of probabilities that is not empty")
    named = isinstance(predictions, list) and all(isinstance(p, Mapping) and "class" in p for p in predictions)
    if not named or len(predictions) not in (0, len(inferences)):
        raise EventError("predictions must name the class of each inference")
    return body


def is_probability(value: Any) -> bool:
    """Whether this is a number from 0 to 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= 1
