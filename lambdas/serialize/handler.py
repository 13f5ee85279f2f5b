"""Serialize: read a small image from S3, and return it in base64.

The function does not look at the content. Only the model decides whether a file is an image that it can classify, so
that the workflow and batch transform, which both invoke the model, agree.

Event format of serialize, classify and filter
----------------------------------------------
The functions follow the course's format. Each returns `{"statusCode": 200, "body": {...}}`, and the next one reads its
input from `body`. An event without `body` is read as the body itself. An execution starts with the course's input
`{"image_data": "", "s3_bucket": "...", "s3_key": "..."}`, to which serialize adds the image. The state machine wraps
each body as `{"execution": "<ARN>", "body": {...}}`, so that the functions can log the execution's ARN.
"""

import base64
import logging
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

# Base64 turns 3 bytes into 4, and the state needs room for its other fields. Step Functions limits it to 262,144 bytes
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)
MAX_BYTES = 180_000

s3 = boto3.client("s3")
logger = logging.getLogger()


class EventError(Exception):
    """The event does not have the expected format."""


class ImageMissingError(Exception):
    """The S3 object does not exist."""


class ImageTooLargeError(Exception):
    """The image has more bytes than the workflow supports."""


class ImageInvalidError(Exception):
    """The S3 object is empty."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Return the image `s3_key` of `s3_bucket` in base64.

    Returns
    -------
    dict
        `statusCode` 200, and a body with `image_data` (base64), `s3_bucket`, `s3_key` and `inferences` (an empty list).

    Raises
    ------
    EventError, ImageMissingError, ImageTooLargeError, ImageInvalidError
        The execution fails under the name of the error, so each one stands for a different remedy.
    """
    body = body_of(event)
    bucket, key = text_of(body, "s3_bucket"), text_of(body, "s3_key")
    uri = f"s3://{bucket}/{key}"
    logger.info("reading image", extra={"execution": event.get("execution"), "image": uri})
    image = read(bucket, key)
    result = {
        "image_data": base64.b64encode(image).decode("ascii"),
        "s3_bucket": bucket,
        "s3_key": key,
        "inferences": [],
    }
    return {"statusCode": 200, "body": result}


def body_of(event: Any) -> Mapping[str, Any]:
    """Return the body of an event; serialize/handler.py describes the format."""
    body = event.get("body", event) if isinstance(event, Mapping) else None
    if not isinstance(body, Mapping):
        raise EventError(f"the event, or its body, must be an object (got {event!r:.100})")
    return body


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a field of the body that must be a non-empty string."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise EventError(f"{name} must be a non-empty string (got {value!r:.100})")
    return value


def read(bucket: str, key: str) -> bytes:
    """Return the object's content, after a check of its size."""
    uri = f"s3://{bucket}/{key}"
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            raise ImageMissingError(f"{uri} does not exist") from error
        raise
    size = response["ContentLength"]
    if size == 0:
        raise ImageInvalidError(f"{uri} is empty")
    if size > MAX_BYTES:
        raise ImageTooLargeError(f"{uri} must have at most {MAX_BYTES} bytes (got {size})")
    content: bytes = response["Body"].read()
    return content
