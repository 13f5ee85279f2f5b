"""Classify: ask the endpoint for an image's probabilities."""

import base64
import binascii
import json
import logging
import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}

UNKNOWN = "unknown"

runtime = boto3.client("sagemaker-runtime")
logger = logging.getLogger()


class SettingsError(Exception):
    """The function's environment lacks what it needs."""


class EventError(Exception):
    """The event carries no image."""


class ImageFormatError(Exception):
    """The image is neither a PNG nor a JPEG."""


class AnswerError(Exception):
    """The endpoint's answer is no list of one probability for each class."""


class ModelFailedError(Exception):
    """The model failed at the image, through no fault of the image: another try may find a better model."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Send `image_data` to the endpoint.

    Returns
    -------
    dict
        `statusCode` 200 and the body with `inferences`, a probability for each class, `predictions`, the same
        with the classes' names, and `model_version`, of the model that answered (`unknown` where it does not say).

    Raises
    ------
    SettingsError, EventError, ImageFormatError, AnswerError, ModelFailedError
        Each as its name says.
    botocore.exceptions.ClientError
        The endpoint is missing, or its model refuses the image.
    """
    endpoint, classes = settings(os.environ)
    body = body_of(event)
    image = decode(body["image_data"])
    place = f"s3://{body.get('s3_bucket')}/{body.get('s3_key')}"
    logger.info("asks", extra={"execution": event.get("execution"), "image": place, "endpoint": endpoint})
    answer = ask(endpoint, image)
    inferences = probabilities(answer["Body"].read(), len(classes))
    predictions = [
        {"class": name, "probability": probability} for name, probability in zip(classes, inferences, strict=True)
    ]
    # while an endpoint is updated, old and new answer in turn, and only the model itself can say which it was
    version = answer.get("CustomAttributes", UNKNOWN)
    return {
        "statusCode": 200,
        "body": {**body, "inferences": inferences, "predictions": predictions, "model_version": version},
    }


def ask(endpoint: str, image: bytes) -> Any:
    """The endpoint's answer."""
    try:
        return runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType=content_type(image), Accept="application/json", Body=image
        )
    except ClientError as error:
        refused = 400 <= error.response.get("OriginalStatusCode", 0) < 500
        if error.response["Error"]["Code"] != "ModelError" or refused:
            raise
        raise ModelFailedError(str(error)) from error


def settings(environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """The endpoint's name and the classes' names."""
    try:
        endpoint, classes = environment["ENDPOINT_NAME"], json.loads(environment["CLASS_NAMES"])
    except KeyError as error:
        raise SettingsError(f"the function's environment lacks {error.args[0]}") from error
    except ValueError as error:
        raise SettingsError(f"CLASS_NAMES is no JSON: {error}") from error
    if not endpoint:
        raise SettingsError("ENDPOINT_NAME is empty")
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise SettingsError("CLASS_NAMES must be a JSON list of names")
    return endpoint, classes


def body_of(event: Any) -> Mapping[str, Any]:
    """What the function before passed on: the event, or its body."""
    body = event.get("body", event) if isinstance(event, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(body.get("image_data"), str) or not body["image_data"]:
        raise EventError("the event must be an object with image_data, the image in base64")
    return body


def decode(image_data: str) -> bytes:
    """The image's bytes."""
    try:
        return base64.b64decode(image_data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EventError(f"image_data is no base64: {error}") from error


def content_type(image: bytes) -> str:
    """The image's type by its first bytes."""
    for signature, name in SIGNATURES.items():
        if image.startswith(signature):
            return name
    raise ImageFormatError("the image is neither a PNG nor a JPEG")


def probabilities(answer: bytes, count: int) -> list[float]:
    """The endpoint's answer, held against what it must be."""
    try:
        values = json.loads(answer)
    except ValueError as error:
        raise AnswerError(f"the endpoint's answer is no JSON: {error}") from error
    if not isinstance(values, list) or len(values) != count or not all(map(is_probability, values)):
        raise AnswerError(f"the endpoint's answer is no list of {count} probabilities: {answer[:200]!r}")
    return [float(value) for value in values]


def is_probability(value: Any) -> bool:
    """Whether this is a number from 0 to 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= 1
