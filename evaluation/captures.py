"""Read the requests and responses that an endpoint captured, from S3 or from a local folder.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code
from common.probabilities import is_probability
from common.s3 import THREADS, list_objects, split_url
from common.terminal import progress_bar

SUFFIX = ".jsonl"
YEARS = range(2000, 2100)  # of a record's time; the axis of a plot ends where datetime does
MIN_FILES_FOR_BAR = 100  # a progress bar for fewer files would only flicker


class MalformedRecordError(Exception):
    """A line is not a record of a request and its response."""


@dataclass(frozen=True)
class Record:
    """One captured image and its prediction.

    Attributes
    ----------
    event_id : ID of the request; with several images per request, followed by the image's number
    time : time of the response in UTC, to the second
    image : the request's bytes, not validated; None if only responses are captured
    probabilities : in class order
    """

    event_id: str
    time: datetime
    image: bytes | None
    probabilities: tuple[float, ...]

    @property
    def class_number(self) -> int:
        """Number of the predicted class."""
        return self.probabilities.index(self.confidence)

    @property
    def confidence(self) -> float:
        """The highest probability."""
        return max(self.probabilities)


@dataclass(frozen=True)
class MalformedLine:
    """A line that could not be read, and why."""

    file: str
    line: int
    reason: str


@dataclass
class Captures:
    """The records of each capture file by the file's name, and the lines that could not be read."""

    files: dict[str, list[Record]] = field(default_factory=dict)
    malformed: list[MalformedLine] = field(default_factory=list)

    def records(self) -> list[Record]:
        """Return all records in order of time; records of the same second are in order of file and line."""
        records = (record for name in sorted(self.files) for record in self.files[name])
        return sorted(records, key=lambda record: record.time)

    def add(self, name: str, content: bytes, *, classes: int) -> None:
        """Add the content of a capture file.

        Parameters
        ----------
        classes : number of probabilities in each prediction
        """
        records = self.files.setdefault(name, [])
        for number, line in enumerate(content.split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                records.extend(parse_records(line, classes=classes))
            except MalformedRecordError as error:
                self.malformed.append(MalformedLine(name, number, str(error)))


def read_directory(directory: Path, *, classes: int) -> Captures:
    """Read all capture files below a folder."""
    captures = Captures()
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        captures.add(path.relative_to(directory).as_posix(), path.read_bytes(), classes=classes)
    return captures


def read_new_files(uri: str, endpoint: str, captures: Captures, *, classes: int, s3: Any) -> None:
    """Add an endpoint's capture files that `captures` does not have yet.

    Parameters
    ----------
    uri : the `DestinationS3Uri` of the endpoint's data capture
    """
    bucket, prefix = _split(uri)
    keys = [key for key in _list_files(bucket, f"{prefix}{endpoint}/", s3=s3) if key not in captures.files]
    for key, content in zip(keys, _fetch(bucket, keys, s3=s3), strict=True):
        captures.add(key, content, classes=classes)


def count_other_records(uri: str, endpoint: str, captures: Captures, *, s3: Any) -> int:
    """Count the records of an endpoint's other models: those in files that `captures` does not have.

    Parameters
    ----------
    uri : the folder of all models, each with its destination `<uri>/<model>`
    """
    bucket, prefix = _split(uri)
    listed = (key for key in _list_files(bucket, prefix, s3=s3) if key not in captures.files)
    keys = [key for key in listed if key.removeprefix(prefix).split("/")[1:2] == [endpoint]]
    return sum(bool(line.strip()) for content in _fetch(bucket, keys, s3=s3) for line in content.split(b"\n"))


def _split(uri: str) -> tuple[str, str]:
    """Return the bucket and the prefix of a folder in S3."""
    bucket, key = split_url(uri)
    return bucket, f"{key.rstrip('/')}/" if key else ""


def _list_files(bucket: str, prefix: str, *, s3: Any) -> list[str]:
    keys = (stored["Key"] for stored in list_objects(bucket, prefix, s3=s3))
    return [key for key in keys if key.endswith(SUFFIX)]


def _fetch(bucket: str, keys: list[str], *, s3: Any) -> Iterable[bytes]:
    """Yield the content of each object, in order; an object that was deleted since it was listed is empty."""

    def fetch(key: str) -> bytes:
        try:
            content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) != "NoSuchKey":  # the bucket's lifecycle deletes old files at any time
                raise
            return b""
        return content

    with ThreadPoolExecutor(THREADS) as pool:
        disable = True if len(keys) < MIN_FILES_FOR_BAR else None
        yield from progress_bar(pool.map(fetch, keys), total=len(keys), desc="reading", unit="file", disable=disable)


def parse_records(line: bytes, *, classes: int) -> list[Record]:
    """Parse a line: a request with one image, or a JSON request with several, as the model server accepts them.

    Raises
    ------
    MalformedRecordError
        The line is not JSON or lacks a field, or the response does not have `classes` probabilities for each image of
        the request.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedRecordError("not JSON") from error
    data, event = _object(content, "captureData"), _object(content, "eventMetadata")
    event_id, time = _string(event, "eventId"), _parse_time(_string(event, "inferenceTime"))
    response = _parse_response(_object(data, "endpointOutput"))
    body = None if data.get("endpointInput") is None else decode(_object(data, "endpointInput"))
    if not isinstance(response[0], list):
        return [Record(event_id, time, body, _probabilities(response, classes))]
    images = [None] * len(response) if body is None else _images(body)
    if len(images) != len(response):
        raise MalformedRecordError(f"{len(response)} predictions for {len(images)} images")
    return [
        Record(f"{event_id}/{number}", time, image, _probabilities(each, classes))
        for number, (image, each) in enumerate(zip(images, response, strict=True), start=1)
    ]


def decode(side: Mapping[str, Any]) -> bytes:
    """Return the bytes of a captured request or response.

    Raises
    ------
    MalformedRecordError
        The encoding is not BASE64, JSON or CSV, or the data does not have it.
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


def _parse_response(side: Mapping[str, Any]) -> list[Any]:
    is_csv = "CSV" in _string(side, "encoding") or str(side.get("observedContentType", "")).startswith("text/csv")
    data = decode(side)
    try:
        values = [float(value) for value in data.split(b",")] if is_csv else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedRecordError("the response is not a list of probabilities") from error
    if not isinstance(values, list) or not values:
        raise MalformedRecordError("the response is not a list of probabilities")
    return values


def _images(body: bytes) -> list[bytes]:
    try:
        return [base64.b64decode(each["b64"], validate=True) for each in json.loads(body)["instances"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedRecordError("several predictions, but the request is not JSON with images") from error


def _probabilities(values: Any, classes: int) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(map(is_probability, values)):
        raise MalformedRecordError("the response is not a list of probabilities")
    if len(values) != classes:
        raise MalformedRecordError(f"{len(values)} probabilities for {classes} classes")
    return tuple(map(float, values))


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
