"""Serialize: check the size of an image in S3, and return the image in base64 if it is small.

An image of more than 180,000 bytes could exceed the size limit of a state's output. For such an image, `image_data`
stays empty, and the function classify reads the object from S3.

The function does not check the content. Only the model decides whether a file is a valid image, so that the workflow
and batch transform accept the same files.

Event format of serialize, classify and filter
----------------------------------------------
The functions use the course's event format. Each returns `{"statusCode": 200, "body": {...}}`, and the next function
reads its input from `body`. If an event has no field `body`, the event itself is the body. An execution starts with
the course's input `{"image_data": "", "s3_bucket": "...", "s3_key": "..."}`, to which serialize adds the image. The
optional field `s3_version` selects a version of the object (default: the latest). The functions pass unknown fields on.
The state machine wraps each body as `{"execution": "<ARN>", "body": {...}}`, so that the functions can log the
execution's ARN.
"""

import base64
import logging
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

MAX_BYTES = 5 * 2**20  # maximum size of an image: the model's limit in training/container/classifier/images.py
# Error codes of S3 after which a retry may succeed, although their HTTP status may be 400:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
TRANSIENT = {"RequestTimeout", "SlowDown", "ThrottlingException"}
# Errors that AWS returns, and errors that prevent a complete response: if the connection ends within the content of an
# object, botocore raises IncompleteReadError with version 1 of urllib3, and an HTTPClientError with version 2.
REQUEST_ERRORS = (ClientError, BotocoreConnectionError, HTTPClientError, IncompleteReadError)

# Maximum size of an image that is returned. A larger image could exceed the limit for a state's output, 262,144 bytes,
# because base64 turns 3 bytes into 4, and the output has other fields too:
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_INLINE_BYTES = 180_000

# boto3 does not retry, because the state machine retries after StorageUnavailableError
s3 = boto3.client("s3", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))
logger = logging.getLogger()


class EventError(Exception):
    """The event does not have the expected format."""


class ImageMissingError(Exception):
    """The S3 object, or its version, does not exist."""


class ImageTooLargeError(Exception):
    """The image has more bytes than the model or the endpoint accepts."""


class ImageInvalidError(Exception):
    """The S3 object is empty."""


class StorageUnavailableError(Exception):
    """A request to S3 failed, but a retry may succeed; the state machine retries."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Return the image at `s3_key` in `s3_bucket` as base64, or an empty `image_data` if the image is large.

    Returns
    -------
    dict
        `statusCode` 200, and the event's body with `image_data` (base64, or empty above MAX_INLINE_BYTES) and
        `inferences` (an empty list). If `image_data` is empty, the body has `s3_version`, so that classify
        reads the same version of the object (unless the bucket has no versioning).

    Raises
    ------
    EventError, ImageMissingError, ImageTooLargeError, ImageInvalidError
        The execution fails with the exception's name as its error.
    StorageUnavailableError
        The state machine retries. If the last attempt fails too, the execution fails with this error.
    botocore.exceptions.ClientError
        S3 refused the request, for example because the function lacks a permission.
    """
    body = body_of(event)
    uri = f"s3://{text_of(body, 's3_bucket')}/{text_of(body, 's3_key')}"
    logger.info("reading image", extra={"execution": event.get("execution"), "image": uri})
    image, version = read_object(body, MAX_INLINE_BYTES)
    result = {**body, "image_data": base64.b64encode(image).decode("ascii"), "inferences": []}
    if not image and version:
        result["s3_version"] = version
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


def read_object(body: Mapping[str, Any], limit: int) -> tuple[bytes, str | None]:
    """Return the S3 object's content (empty if it exceeds `limit` bytes), and the version ID of the object, if any."""
    bucket, key = text_of(body, "s3_bucket"), text_of(body, "s3_key")
    version = {"VersionId": text_of(body, "s3_version")} if "s3_version" in body else {}
    uri = f"s3://{bucket}/{key}"
    try:
        response = s3.get_object(Bucket=bucket, Key=key, **version)
        size = response["ContentLength"]
        if size == 0:
            raise ImageInvalidError(f"{uri} is empty")
        if size > MAX_BYTES:
            raise ImageTooLargeError(f"{uri} must have at most {MAX_BYTES} bytes (got {size})")
        return response["Body"].read() if size <= limit else b"", response.get("VersionId")
    except REQUEST_ERRORS as error:
        if isinstance(error, ClientError):
            code = error.response["Error"]["Code"]
            if code in ("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404"):
                raise ImageMissingError(f"{uri} does not exist") from error
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 500 and code not in TRANSIENT:
                raise
        raise StorageUnavailableError(f"S3 cannot return {uri}: {error}") from error
