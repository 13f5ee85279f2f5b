"""Parse the requests and responses that an endpoint captured.

The drift job runs this module in the model's container, so the module needs only the standard library.

Format of the captured data:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

# this project's requests have hexadecimal IDs; requests of other callers of the endpoint may have any text as ID
PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(/\d+)?")
YEARS = range(2000, 2100)  # valid years of a record; the time axis of a plot must stay within datetime's limits


class MalformedRecordError(Exception):
    """A line of captured data is not a valid record of a request and its response."""


@dataclass(frozen=True)
class Record:
    """One captured image and its prediction.

    Attributes
    ----------
    id : inference ID of the request, or the event ID if the request has no inference ID. If the response is a list of
        predictions, even of only one, a slash and the prediction's number, counted from 1, are added
    event_id : SageMaker's ID of the request
    time : time of the response in UTC, to the second
    image : content of the image file in the request, not validated; None if the endpoint captured only the response
    probabilities : predicted probabilities, in class order
    """

    id: str
    event_id: str
    time: datetime
    image: bytes | None
    probabilities: tuple[float, ...]

    @property
    def class_number(self) -> int:
        """Index of the predicted class, counted from 0."""
        return self.probabilities.index(self.confidence)

    @property
    def confidence(self) -> float:
        """The highest probability."""
        return max(self.probabilities)


def object_name(record_id: str) -> str:
    """Return a record's name in S3: a selected image is stored as `<name>`, its entry and its answer as `<name>.json`.

    The callers of the endpoint choose the IDs of their requests, so an ID may be any text. An ID that PLAIN_ID does not
    match is hashed. A plain ID contains no dot, so an image's key never equals the key of another image's entry, and
    different IDs have different names, unless one ID is the hash of the other.

    Examples
    --------
    >>> object_name("0d6ea8f3-5d0e-4e6a-9c3a-1f5a3c1f2b11/2")
    '0d6ea8f3-5d0e-4e6a-9c3a-1f5a3c1f2b11.2'
    """
    if PLAIN_ID.fullmatch(record_id):
        return record_id.replace("/", ".")
    return sha256(record_id.encode("utf-8", "surrogatepass")).hexdigest()


def parse_records(line: bytes, *, classes: int) -> list[Record]:
    """Return a record for each image of the request that a line of captured data describes.

    Parameters
    ----------
    classes : number of classes, and therefore of probabilities in each prediction

    Raises
    ------
    MalformedRecordError
        The line is not JSON, a field is missing or invalid, or the response does not have `classes` probabilities for
        each image of the request.
    """
    content = _load(line)
    data, event = _object(content, "captureData"), _object(content, "eventMetadata")
    event_id, time = _string(event, "eventId"), _parse_time(_string(event, "inferenceTime"))
    # captured only if the caller set the parameter InferenceId of InvokeEndpoint
    given = event.get("inferenceId")
    record_id = given if isinstance(given, str) and given else event_id
    response = _parse_response(_object(data, "endpointOutput"))
    body = None if data.get("endpointInput") is None else decode(_object(data, "endpointInput"))
    if not isinstance(response[0], list):
        return [Record(record_id, event_id, time, body, _probabilities(response, classes))]
    images = [None] * len(response) if body is None else _images(body)
    if len(images) != len(response):
        raise MalformedRecordError(f"{len(response)} predictions for {len(images)} images")
    return [
        Record(f"{record_id}/{number}", event_id, time, image, _probabilities(each, classes))
        for number, (image, each) in enumerate(zip(images, response, strict=True), start=1)
    ]


def parse_time(line: bytes) -> datetime:
    """Return the response time in a line of captured data, without checking the other fields.

    Raises
    ------
    MalformedRecordError
        The line is not JSON, or has no valid time.
    """
    return _parse_time(_string(_object(_load(line), "eventMetadata"), "inferenceTime"))


def decode(side: Mapping[str, Any]) -> bytes:
    """Return the bytes of a captured request or response.

    The data are in base64, unless their content type is listed in the endpoint's `CaptureContentTypeHeader`.

    Parameters
    ----------
    side : the object `endpointInput` or `endpointOutput` of a line

    Raises
    ------
    MalformedRecordError
        The encoding is not BASE64, JSON or CSV, or the data are not valid base64.
    """
    encoding, data = _string(side, "encoding"), _string(side, "data")
    if encoding in ("JSON", "CSV"):
        return data.encode("utf-8", "surrogatepass")
    if encoding != "BASE64":
        raise MalformedRecordError(f"unknown encoding {encoding[:20]!r}")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRecordError("data is not base64") from error


def _load(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedRecordError("not JSON") from error


def _parse_response(side: Mapping[str, Any]) -> list[Any]:
    is_csv = "CSV" in _string(side, "encoding") or str(side.get("observedContentType", "")).startswith("text/csv")
    data = decode(side)
    try:
        values = [_number(value) for value in data.split(b",")] if is_csv else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedRecordError("the response is not a list of probabilities") from error
    if isinstance(values, dict):
        # the built-in algorithm's response to a caller that accepts only JSON Lines:
        # https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html
        values = values.get("prediction")
    if not isinstance(values, list) or not values:
        raise MalformedRecordError("the response is not a list of probabilities")
    return values


def _number(text: bytes) -> float:
    if b"_" in text:  # Python allows underscores between digits
        raise ValueError
    return float(text)


def _images(body: bytes) -> list[bytes]:
    try:
        return [base64.b64decode(each["b64"], validate=True) for each in json.loads(body)["instances"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedRecordError("a list of predictions for a request that is not JSON with images") from error


def _probabilities(values: Any, classes: int) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(map(_is_probability, values)):
        raise MalformedRecordError("the response is not a list of probabilities")
    if len(values) != classes:
        raise MalformedRecordError(f"{len(values)} probabilities for {classes} classes")
    return tuple(map(float, values))


def _is_probability(value: object) -> bool:
    """Return whether a value is a number between 0 and 1.

    Same as `common.probabilities.is_probability`, which the container lacks.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        # AWS writes UTC; a time without a zone is read as UTC
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedRecordError(f"inferenceTime {text[:40]!r} is not a time") from error
    if time.year not in YEARS:
        raise MalformedRecordError(f"inferenceTime {text[:40]!r} is not in the years {YEARS[0]} to {YEARS[-1]}")
    return time


def _object(content: Any, name: str) -> Mapping[str, Any]:
    value = content.get(name) if isinstance(content, Mapping) else None
    if not isinstance(value, Mapping):
        raise MalformedRecordError(f"no {name}")
    return value


def _string(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise MalformedRecordError(f"no {name}")
    return value
