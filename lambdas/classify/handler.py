"""Classify: invoke the endpoint with an image and return its class probabilities."""

import base64
import binascii
import json
import logging
import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

CONTENT_TYPE = "application/x-image"  # PNG or JPEG: the model detects the format
MAX_BYTES = 5 * 2**20  # maximum size of an image: the model's limit in training/container/classifier/images.py
# Error codes of S3 after which a retry may succeed, although their HTTP status may be 400:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
TRANSIENT = {"RequestTimeout", "SlowDown", "ThrottlingException"}
# Errors that AWS returns, and errors that prevent a complete response: if the connection ends within the content of an
# object, botocore raises IncompleteReadError with version 1 of urllib3, and an HTTPClientError with version 2.
REQUEST_ERRORS = (ClientError, BotocoreConnectionError, HTTPClientError, IncompleteReadError)
REQUEST_TOO_LARGE, SERVER_ERROR = 413, 500  # HTTP status codes
UNKNOWN = "unknown"

# Error codes of InvokeEndpoint after which a retry may succeed:
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
THROTTLED = {"ModelNotReadyException", "ThrottlingException"}

# boto3 does not retry. The state machine retries after EndpointUnavailableError, because a state machine can wait for
# longer than this function may run, and because the execution's history then shows each attempt. A model may take 60
# seconds to respond, so AWS recommends a read timeout of 70 seconds. A cold start of a serverless endpoint takes most
# of this time. The function's timeout in terraform/modules/functions must be longer than the sum of all timeouts below,
# so that the function can still raise EndpointUnavailableError:
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
runtime = boto3.client(
    "sagemaker-runtime", config=Config(connect_timeout=5, read_timeout=70, retries={"total_max_attempts": 1})
)
s3 = boto3.client("s3", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))
logger = logging.getLogger()


class SettingsError(Exception):
    """An environment variable of the function is missing or invalid."""


class EventError(Exception):
    """The event does not have the expected format."""


class ImageMissingError(Exception):
    """The S3 object, or its version, does not exist."""


class ImageTooLargeError(Exception):
    """The image has more bytes than the model or the endpoint accepts."""


class ImageInvalidError(Exception):
    """The S3 object is empty, or the model rejects the image; the message says why."""


class ResponseError(Exception):
    """The endpoint's response is not a list with one probability for each class."""


class StorageUnavailableError(Exception):
    """A request to S3 failed, but a retry may succeed; the state machine retries."""


class EndpointMissingError(Exception):
    """The endpoint does not exist."""


class EndpointUnavailableError(Exception):
    """A request to the endpoint failed, but a retry may succeed; the state machine retries."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Classify the image in `image_data`, or the S3 object if `image_data` is empty.

    Returns
    -------
    dict
        `statusCode` 200, and the event's body with `inferences` (one probability for each class), `predictions` (class
        names with these probabilities) and `model_version` (`unknown` if the model does not return it).

    Raises
    ------
    SettingsError, EventError, ImageMissingError, ImageTooLargeError, ImageInvalidError, ResponseError,
    EndpointMissingError
        The execution fails with the exception's name as its error.
    StorageUnavailableError, EndpointUnavailableError
        The state machine retries. If the last attempt fails too, the execution fails with this error.
    botocore.exceptions.ClientError
        SageMaker or S3 refused the request, for example because the function lacks a permission.
    """
    endpoint, classes = settings(os.environ)
    body = body_of(event)
    uri = f"s3://{body.get('s3_bucket')}/{body.get('s3_key')}"
    logger.info("invoking endpoint", extra={"execution": event.get("execution"), "image": uri, "endpoint": endpoint})
    image = read_image(body)
    response, version = invoke(endpoint, image, uri, inference_id_argument(body))
    inferences = probabilities(response, len(classes))
    predictions = [
        {"class": name, "probability": probability} for name, probability in zip(classes, inferences, strict=True)
    ]
    return {
        "statusCode": 200,
        "body": {**body, "inferences": inferences, "predictions": predictions, "model_version": version},
    }


def inference_id_argument(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the argument `InferenceId` for InvokeEndpoint, or an empty dictionary if the body has no S3 key.

    Data capture stores this ID with the request. `common/inference_ids.py` computes the same ID. For a request without
    this argument, data capture stores only an event ID that SageMaker generates.
    """
    key = body.get("s3_key")
    if not isinstance(key, str) or not key:
        return {}
    names = key, str(body.get("s3_version", "latest"))
    return {"InferenceId": "".join(sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32] for name in names)}


def invoke(endpoint: str, image: bytes, uri: str, inference_id: Mapping[str, str]) -> tuple[bytes, str]:
    """Return the body of the endpoint's response, and the version of the model that sent the response."""
    try:
        response = runtime.invoke_endpoint(
            EndpointName=endpoint,
            ContentType=CONTENT_TYPE,
            Accept="application/json",
            Body=image,
            **inference_id,
        )
        # during a deployment two models share the traffic, and only the response says which model predicted
        return response["Body"].read(), response.get("CustomAttributes", UNKNOWN)
    except REQUEST_ERRORS as error:
        if isinstance(error, ClientError) and is_rejection(error):
            # only the first line, because AWS's inference toolkit adds a traceback to the message
            reason = error.response.get("OriginalMessage", str(error)).partition("\n")[0]
            raise ImageInvalidError(f"the model rejects {uri}: {reason}") from error
        if isinstance(error, ClientError) and is_too_large(error):
            raise ImageTooLargeError(
                f"{uri} has {len(image)} bytes, which {endpoint} does not accept: {error}"
            ) from error
        if isinstance(error, ClientError) and is_missing_endpoint(error):
            raise EndpointMissingError(f"{endpoint} does not exist: {error}") from error
        if isinstance(error, ClientError) and not is_transient(error):
            raise
        raise EndpointUnavailableError(f"{endpoint} is unavailable: {error}") from error


def is_missing_endpoint(error: ClientError) -> bool:
    """Return whether the endpoint does not exist; SageMaker's ValidationError says so only in its message."""
    found = error.response["Error"]
    return found["Code"] == "ValidationError" and "not found" in found["Message"]


def is_too_large(error: ClientError) -> bool:
    """Return whether the request exceeds the endpoint's size limit.

    An endpoint on instances responds with the status 413. A serverless endpoint, whose limit is lower, responds with a
    ValidationError, whose message gives the reason: https://github.com/aws/sagemaker-python-sdk/issues/4271
    """
    found = error.response["Error"]
    is_oversize = found["Code"] == "ValidationError" and "oversize body" in found["Message"]
    return is_oversize or status_of(error) == REQUEST_TOO_LARGE


def is_rejection(error: ClientError) -> bool:
    """Return whether the model rejected the request with a 4xx status."""
    return error.response["Error"]["Code"] == "ModelError" and 400 <= original_status(error) < SERVER_ERROR


def is_transient(error: ClientError) -> bool:
    """Return whether a retry may succeed, for an error that is not a rejection by the model.

    A retry may succeed even after a failure of the model: during a deployment, the first request may reach the new
    model on the canary fleet, and the retry may reach the old model.
    """
    return error.response["Error"]["Code"] in {*THROTTLED, "ModelError"} or status_of(error) >= SERVER_ERROR


def status_of(error: ClientError) -> int:
    """Return the HTTP status of the AWS service's response; 0 if the error contains no status."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def original_status(error: ClientError) -> int:
    """Return the HTTP status of the model's response; 0 if the model did not respond."""
    return int(error.response.get("OriginalStatusCode", 0))


def settings(environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the endpoint's name and the class names from the environment variables."""
    try:
        endpoint, classes = environment["ENDPOINT_NAME"], names(environment["CLASS_NAMES"], "CLASS_NAMES")
    except KeyError as error:
        raise SettingsError(f"the environment variable {error.args[0]} is missing") from error
    if not endpoint:
        raise SettingsError("ENDPOINT_NAME must not be empty")
    return endpoint, classes


def names(text: str, variable: str) -> list[str]:
    """Return the strings of an environment variable that must be a non-empty JSON list of strings."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{variable} must be JSON: {error}") from error
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise SettingsError(f"{variable} must be a non-empty JSON list of strings (got {values!r:.100})")
    return values


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


def read_image(body: Mapping[str, Any]) -> bytes:
    """Return the image from the body, or from S3 if serialize left `image_data` empty."""
    if body.get("image_data") == "":
        return read_object(body, MAX_BYTES)[0]
    return decode(text_of(body, "image_data"))


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


def decode(image_data: str) -> bytes:
    """Decode an image from base64."""
    try:
        return base64.b64decode(image_data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EventError(f"image_data must be base64: {error}") from error


def probabilities(response: bytes, count: int) -> list[float]:
    """Return the probabilities in the endpoint's response, after validation."""
    try:
        values = json.loads(response)
    except ValueError as error:
        raise ResponseError(f"the endpoint's response must be JSON: {error} (got {response[:200]!r})") from error
    if not isinstance(values, list) or len(values) != count or not all(map(is_probability, values)):
        raise ResponseError(f"the endpoint's response must be a list of {count} probabilities (got {response[:200]!r})")
    return [float(value) for value in values]


def is_probability(value: Any) -> bool:
    """Return whether a value is a number between 0 and 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= 1
