"""Classify batch: classify the images of a batch, several per request, and write one result line for each image.

The result of a batch is one JSON Lines object in S3, whose key depends only on the execution and the batch. If the
object exists, the function returns the counts in the object's metadata. A repeated invocation, for example after a
redrive, therefore does not classify the batch again.
"""

import base64
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

IMAGE, JSON = "application/x-image", "application/json"
CLASSIFIED, LOW_CONFIDENCE, FAILED = "classified", "low-confidence", "failed"

MAX_BYTES = 5 * 2**20  # maximum size of an image: the model's limit in training/container/classifier/images.py
MAX_IMAGES = 256  # maximum images per request: the model's limit in training/container/classifier/serving.py
# The limit of serverless endpoints, which is lower than that of endpoints on instances:
# https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html
MAX_REQUEST_BYTES = 4_000_000
THREADS = 16  # objects that are read at the same time; more would need more memory
# Error codes of S3 after which a retry may succeed, although their HTTP status may be 400:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
TRANSIENT = {"RequestTimeout", "SlowDown", "ThrottlingException"}
# Errors that AWS returns, and errors that prevent a complete response: if the connection ends within the content of an
# object, botocore raises IncompleteReadError with version 1 of urllib3, and an HTTPClientError with version 2.
REQUEST_ERRORS = (ClientError, BotocoreConnectionError, HTTPClientError, IncompleteReadError)
REQUEST_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, SERVER_ERROR = 413, 415, 500  # HTTP status codes

# Error codes of InvokeEndpoint after which a retry may succeed:
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
THROTTLED = {"ModelNotReadyException", "ThrottlingException"}

# boto3 does not retry, because the state machine retries after errors whose names end in UnavailableError;
# lambdas/classify/handler.py explains why, and gives the reason for the timeouts
ONCE = {"total_max_attempts": 1}
runtime = boto3.client("sagemaker-runtime", config=Config(connect_timeout=5, read_timeout=70, retries=ONCE))
s3 = boto3.client("s3", config=Config(connect_timeout=2, read_timeout=5, retries=ONCE, max_pool_connections=THREADS))
logger = logging.getLogger()


class SettingsError(Exception):
    """An environment variable of the function is missing or invalid."""


class EventError(Exception):
    """The event does not have the expected format."""


class StorageUnavailableError(Exception):
    """A request to S3 failed, but a retry may succeed; the state machine retries."""


class EndpointMissingError(Exception):
    """The endpoint does not exist."""


class EndpointUnavailableError(Exception):
    """A request to the endpoint failed, but a retry may succeed; the state machine retries."""


class ResponseError(Exception):
    """The endpoint's response is not a list with one probability for each class, or a list of such lists."""


class ImageError(Exception):
    """An image cannot be classified. The function continues with the other images of the batch."""


class KeyInvalidError(ImageError):
    """The item is not an S3 key below an allowed prefix."""


class ImageMissingError(ImageError):
    """The S3 object does not exist."""


class ImageTooLargeError(ImageError):
    """The image has more bytes than the model or the endpoint accepts."""


class ImageUnreadableError(ImageError):
    """S3 refuses to return the object, for example because the function may not use the object's KMS key."""


class ImageInvalidError(ImageError):
    """The S3 object is empty, or the model rejects the image; the message says why."""


class PredictionInvalidError(ImageError):
    """The model's prediction for this image is not a list with one probability for each class."""


@dataclass(frozen=True)
class Settings:
    """The settings from the function's environment variables.

    Attributes
    ----------
    endpoint : name of the endpoint
    classes : class names, in the order of the model's probabilities
    threshold : minimum confidence, between 0 and 1
    prefixes : key prefixes below which images may be read, without a final slash
    """

    endpoint: str
    classes: list[str]
    threshold: float
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Prediction:
    """The probabilities of an image, and the version of the model that predicted them."""

    probabilities: list[float]
    model_version: str


Outcome = Prediction | ImageError


def handler(event: Any, context: object) -> dict[str, Any]:
    """Classify the images that `items` lists, and write `<predictions>/<hash of the items>.jsonl`.

    Parameters
    ----------
    event : has the fields `bucket` (name), `predictions` (key prefix of the results), `items` (a list of keys, or of
        JSON objects with the field `Key`) and `execution` (ARN, only for the log)

    Returns
    -------
    dict
        `predictions` (key of the result, an S3 object), the number of `images`, the number of images with each outcome,
        and `errors` (the number of images with each error).

    Raises
    ------
    SettingsError, EventError, ResponseError, EndpointMissingError
        The child execution that classifies the batch fails with the exception's name as its error.
    StorageUnavailableError, EndpointUnavailableError
        The state machine retries.
    botocore.exceptions.ClientError
        SageMaker or S3 refused the request, for example because the function lacks a permission.
    """
    settings = read_settings(os.environ)
    bucket, folder, items = field(event, "bucket", str), field(event, "predictions", str), field(event, "items", list)
    key = f"{folder}/{digest(items)}.jsonl"
    counts = find_counts(bucket, key)
    if counts is None:
        lines = [line_of(item, outcome, settings) for item, outcome in classify_items(bucket, items, settings)]
        counts = count(lines)
        write(bucket, key, lines, counts)
    logger.info("classified batch", extra={"execution": event.get("execution"), "predictions": key, **counts})
    return {"predictions": key, **counts}


def digest(items: Sequence[Any]) -> str:
    """Return a hash of the items, which is part of the result's key, so that a later attempt finds the result."""
    return hashlib.sha256(json.dumps(items).encode()).hexdigest()


def find_counts(bucket: str, key: str) -> dict[str, Any] | None:
    """Return the counts in the metadata of a batch's result, or None if the batch has no result yet."""
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
        found["Body"].close()
    except REQUEST_ERRORS as error:
        if is_missing(error):
            return None
        raise storage_error(error, f"s3://{bucket}/{key}") from error
    counts: dict[str, Any] = json.loads(found["Metadata"]["counts"])
    return counts


def write(bucket: str, key: str, lines: list[dict[str, Any]], counts: dict[str, Any]) -> None:
    """Write the result of a batch to S3, with the counts as metadata."""
    body = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"counts": json.dumps(counts)})
    except REQUEST_ERRORS as error:
        raise storage_error(error, f"s3://{bucket}/{key}") from error


def count(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the number of images in total, by outcome and by error."""
    outcomes = Counter(line["outcome"] for line in lines)
    errors = Counter(line["error"] for line in lines if "error" in line)
    return {
        "images": len(lines),
        **{name: outcomes[name] for name in (CLASSIFIED, LOW_CONFIDENCE, FAILED)},
        "errors": dict(errors),
    }


def line_of(item: Any, outcome: Outcome, settings: Settings) -> dict[str, Any]:
    """Return the result line of an image."""
    key = name if isinstance(name := key_of(item), str) else f"{item!r:.100}"
    if isinstance(outcome, ImageError):
        return {"key": key, "outcome": FAILED, "error": type(outcome).__name__, "cause": str(outcome)}
    confidence = max(outcome.probabilities)
    return {
        "key": key,
        "outcome": CLASSIFIED if confidence >= settings.threshold else LOW_CONFIDENCE,
        "class": settings.classes[outcome.probabilities.index(confidence)],
        "confidence": confidence,
        "model_version": outcome.model_version,
    }


def classify_items(bucket: str, items: list[Any], settings: Settings) -> Iterator[tuple[Any, Outcome]]:
    """Yield each item with its outcome, in order. Each request to the endpoint contains as many images as fit."""
    group: list[tuple[Any, bytes | ImageError]] = []
    for item, content in read_all(bucket, items, settings.prefixes):
        if group and not fits([image for _, image in [*group, (item, content)] if isinstance(image, bytes)]):
            yield from classify_group(group, settings)
            group = []
        group.append((item, content))
    yield from classify_group(group, settings)


def read_all(bucket: str, items: list[Any], prefixes: tuple[str, ...]) -> Iterator[tuple[Any, bytes | ImageError]]:
    """Yield each item with the image's content or an error, in order. THREADS objects are read at the same time."""

    def read_or_error(item: Any) -> bytes | ImageError:
        try:
            return read(bucket, checked_key(item, prefixes))
        except ImageError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(items), THREADS):
            part = items[start : start + THREADS]
            yield from zip(part, pool.map(read_or_error, part), strict=True)


def key_of(item: Any) -> Any:
    """Return the key of an item, which is a key itself, or an entry of a manifest or a listing with the field `Key`."""
    return item.get("Key") if isinstance(item, Mapping) else item


def checked_key(item: Any, prefixes: tuple[str, ...]) -> str:
    """Return the key of an item; raise KeyInvalidError unless the key is valid and below one of the prefixes."""
    key = key_of(item)
    if not isinstance(key, str) or not key:
        raise KeyInvalidError(f"an item must be an S3 key, or an object with the field Key (got {item!r:.100})")
    if not key.startswith(tuple(f"{prefix}/" for prefix in prefixes)) or ".." in key.split("/"):
        allowed = ", ".join(f"{prefix}/" for prefix in prefixes)
        raise KeyInvalidError(f"the key must begin with one of {allowed} and have no segment `..` (got {key!r:.200})")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise KeyInvalidError(f"the key must be valid Unicode (got {key!r:.200})") from error
    return key


def read(bucket: str, key: str) -> bytes:
    """Return an object's content; raise an ImageError if the object is missing, unreadable, empty or too large."""
    uri = f"s3://{bucket}/{key}"
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
        size = response["ContentLength"]
        if size == 0:
            raise ImageInvalidError(f"{uri} is empty")
        if size > MAX_BYTES:
            response["Body"].close()
            raise ImageTooLargeError(f"{uri} must have at most {MAX_BYTES} bytes (got {size})")
        content: bytes = response["Body"].read()
    except REQUEST_ERRORS as error:
        if is_missing(error):
            raise ImageMissingError(f"{uri} does not exist") from error
        failure = storage_error(error, uri)
        if isinstance(failure, ClientError):
            raise ImageUnreadableError(f"S3 refuses to return {uri}: {error}") from error
        raise failure from error
    return content


def is_missing(error: Exception) -> bool:
    """Return whether S3 responded that an object does not exist."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in ("NoSuchKey", "404")


def storage_error(error: Exception, uri: str) -> Exception:
    """Return a StorageUnavailableError if a retry may succeed, or `error` itself if not."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else "RequestTimeout"
    is_refused = isinstance(error, ClientError) and status_of(error) < SERVER_ERROR and code not in TRANSIENT
    return error if is_refused else StorageUnavailableError(f"S3 is unavailable for {uri}: {error}")


def fits(images: list[bytes]) -> bool:
    """Return whether images fit into one request, in which base64 turns 3 bytes into 4."""
    size = sum(len(image) * 4 // 3 + 20 for image in images)
    return len(images) <= MAX_IMAGES and size <= MAX_REQUEST_BYTES - 100


def classify_group(group: list[tuple[Any, bytes | ImageError]], settings: Settings) -> Iterator[tuple[Any, Outcome]]:
    """Yield each item of a group with its outcome; the images share one request."""
    images = [content for _, content in group if isinstance(content, bytes)]
    outcomes = iter(classify(images, settings) if images else [])
    for item, content in group:
        yield item, content if isinstance(content, ImageError) else next(outcomes)


def classify(images: list[bytes], settings: Settings) -> list[Outcome]:
    """Return the outcome of each image.

    A model rejects a request as a whole if one image is invalid, and an endpoint refuses a request that is too large.
    The function then sends each half of the images again, until it has found the images that fail alone, too. The
    built-in algorithm rejects every request with several images (status 415), so the function sends each image again in
    a request of its own.
    """
    try:
        return invoke(images, settings)
    except ClientError as error:
        if not is_rejection(error) and not is_too_large(error):
            raise
        if len(images) == 1:
            return [image_error(error, images[0])]
        size = 1 if original_status(error) == UNSUPPORTED_MEDIA_TYPE else (len(images) + 1) // 2
    parts = (images[start : start + size] for start in range(0, len(images), size))
    return [outcome for part in parts for outcome in classify(part, settings)]


def image_error(error: ClientError, image: bytes) -> ImageError:
    """Return the error of an image whose request, with no other image, was rejected or too large."""
    if is_too_large(error):
        return ImageTooLargeError(f"the image has {len(image)} bytes, which the endpoint does not accept: {error}")
    # only the first line, because AWS's inference toolkit adds a traceback to the message
    reason = error.response.get("OriginalMessage", str(error)).partition("\n")[0]
    return ImageInvalidError(f"the model rejects the image: {reason}")


def invoke(images: list[bytes], settings: Settings) -> list[Outcome]:
    """Invoke the endpoint once for all images, and return the outcome of each image."""
    single = len(images) == 1
    instances = () if single else [{"b64": base64.b64encode(image).decode("ascii")} for image in images]
    body = images[0] if single else json.dumps({"instances": instances}, separators=(",", ":")).encode()
    try:
        response = runtime.invoke_endpoint(
            EndpointName=settings.endpoint, ContentType=IMAGE if single else JSON, Accept=JSON, Body=body
        )
        content, version = response["Body"].read(), response.get("CustomAttributes", "unknown")
    except REQUEST_ERRORS as error:
        if isinstance(error, ClientError) and is_missing_endpoint(error):
            raise EndpointMissingError(f"{settings.endpoint} does not exist: {error}") from error
        if isinstance(error, ClientError) and (is_rejection(error) or not is_transient(error)):
            raise
        raise EndpointUnavailableError(f"{settings.endpoint} is unavailable: {error}") from error
    return [prediction_of(values, version, settings) for values in parse(content, len(images))]


def parse(content: bytes, count: int) -> list[Any]:
    """Return the list of predictions in a response. For a single image, the response is the prediction itself."""
    try:
        values = json.loads(content)
    except ValueError as error:
        raise ResponseError(f"the endpoint's response must be JSON: {error} (got {content[:200]!r})") from error
    predictions = [values] if count == 1 else values
    if not isinstance(predictions, list) or len(predictions) != count:
        raise ResponseError(f"the endpoint's response must have {count} predictions (got {content[:200]!r})")
    return predictions


def prediction_of(values: Any, version: str, settings: Settings) -> Outcome:
    """Return the prediction for one image, or a PredictionInvalidError if `values` are not valid probabilities."""
    count = len(settings.classes)
    valid = isinstance(values, list) and all(type(value) in (int, float) and 0 <= value <= 1 for value in values)
    if not valid or len(values) != count:
        return PredictionInvalidError(f"the prediction must be a list of {count} probabilities (got {values!r:.200})")
    return Prediction([float(value) for value in values], version)


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


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings from the function's environment variables."""
    try:
        endpoint, text = environment["ENDPOINT_NAME"], environment["THRESHOLD"]
        classes, prefixes = (names(environment[name], name) for name in ("CLASS_NAMES", "IMAGE_PREFIXES"))
    except KeyError as error:
        raise SettingsError(f"the environment variable {error.args[0]} is missing") from error
    if not endpoint:
        raise SettingsError("ENDPOINT_NAME must not be empty")
    return Settings(endpoint, classes, threshold_of(text), tuple(prefixes))


def names(text: str, variable: str) -> list[str]:
    """Return the strings of an environment variable that must be a non-empty JSON list of strings."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{variable} must be JSON: {error}") from error
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise SettingsError(f"{variable} must be a non-empty JSON list of strings (got {values!r:.100})")
    return values


def threshold_of(text: str) -> float:
    """Return the threshold, a number between 0 and 1."""
    try:
        threshold = float(text)
    except ValueError as error:
        raise SettingsError(f"THRESHOLD must be a number between 0 and 1 (got {text!r})") from error
    if not 0 <= threshold <= 1:
        raise SettingsError(f"THRESHOLD must be a number between 0 and 1 (got {text!r})")
    return threshold


def field(event: Any, name: str, kind: type) -> Any:
    """Return a field of the event that must be a non-empty string or list."""
    value = event.get(name) if isinstance(event, Mapping) else None
    if not isinstance(value, kind) or not value:
        raise EventError(f"{name} must be a non-empty {kind.__name__} (got {value!r:.100})")
    return value
