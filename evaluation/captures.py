"""Read what an endpoint captured: every line of every file, from S3 or from a folder.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import binascii
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from tqdm import tqdm

THREADS = 8  # below botocore's default pool of 10 connections
SUFFIX = ".jsonl"
LARGEST_IMAGE = 6_000_000  # bytes: about what an endpoint takes
MOST_PIXELS = 4096 * 4096  # as many as the workflow lets pass
FORMATS = ("PNG", "JPEG")


class MalformedRecordError(Exception):
    """A line is no record of a request and its answer."""


class ImageRefusedError(Exception):
    """Captured bytes are no image, or one that is too large to be decoded."""


@dataclass(frozen=True)
class Record:
    """One image that the endpoint was asked about, and its answer.

    Attributes
    ----------
    event_id : of the request; of one that brought several images, with the image's number
    time : when it was answered, in UTC, to the second
    image : as it came, not checked; None where only answers are captured
    probabilities : in class order
    """

    event_id: str
    time: datetime
    image: bytes | None
    probabilities: tuple[float, ...]

    @property
    def class_number(self) -> int:
        """Position of the class with the highest probability."""
        return self.probabilities.index(self.confidence)

    @property
    def confidence(self) -> float:
        """The highest probability."""
        return max(self.probabilities)


@dataclass(frozen=True)
class Malformed:
    """A line that could not be read, and why."""

    file: str
    line: int
    reason: str


@dataclass
class Captures:
    """What was read: the records of each file by the file's name, and the lines that are none."""

    files: dict[str, list[Record]] = field(default_factory=dict)
    malformed: list[Malformed] = field(default_factory=list)

    def records(self) -> list[Record]:
        """All records, the oldest first; those of the same second in the order of their files and lines."""
        found = (record for name in sorted(self.files) for record in self.files[name])
        return sorted(found, key=lambda record: record.time)

    def add(self, name: str, content: bytes, *, classes: int) -> None:
        """Take in one file; a line that is no record is kept as malformed."""
        records = self.files.setdefault(name, [])
        for number, line in enumerate(content.split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                records.extend(parse_records(line, classes=classes))
            except MalformedRecordError as error:
                self.malformed.append(Malformed(name, number, str(error)))


def read_directory(directory: Path, *, classes: int) -> Captures:
    """Read the capture files in a folder and below it.

    Parameters
    ----------
    classes
        How many probabilities an answer has.
    """
    captures = Captures()
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        captures.add(path.relative_to(directory).as_posix(), path.read_bytes(), classes=classes)
    return captures


def read_endpoint(client: Any, uri: str, endpoint: str, captures: Captures, *, classes: int) -> None:
    """Add the files of an endpoint that `captures` does not have yet.

    Parameters
    ----------
    client
        S3's.
    uri
        Where captured data lands, `s3://bucket/prefix`; files are never changed once they are there.
    """
    address = urlsplit(uri)
    bucket, prefix = address.netloc, "/".join(part for part in (address.path.strip("/"), endpoint) if part)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    listed = (stored["Key"] for page in pages for stored in page.get("Contents", ()))
    keys = [key for key in listed if key.endswith(SUFFIX) and key not in captures.files]

    def fetch(key: str) -> bytes:
        content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    for key, content in zip(keys, in_parallel(fetch, keys), strict=True):
        captures.add(key, content, classes=classes)


def in_parallel(fetch: Callable[[str], bytes], keys: list[str]) -> Iterable[bytes]:
    """Each key's bytes, in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        # where there are few, a bar would only flash up
        hidden = True if len(keys) < 100 else None
        yield from tqdm(pool.map(fetch, keys), total=len(keys), desc="reading", unit="file", ncols=80, disable=hidden)


def parse_records(line: bytes, *, classes: int) -> list[Record]:
    """Read one line: a request with an image, or in JSON with several, as our model server takes them.

    Raises
    ------
    MalformedRecordError
        It is not JSON, lacks a part, or its answer is no list of `classes` probabilities, or of as many lists of them
        as the request has images.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedRecordError("no JSON") from error
    data, event = _part(content, "captureData"), _part(content, "eventMetadata")
    event_id, time = _text(event, "eventId"), _time(_text(event, "inferenceTime"))
    answer = _answer(_part(data, "endpointOutput"))
    body = None if data.get("endpointInput") is None else decode(_part(data, "endpointInput"))
    if not isinstance(answer[0], list):
        return [Record(event_id, time, body, _probabilities(answer, classes))]
    images = [None] * len(answer) if body is None else _images(body)
    if len(images) != len(answer):
        raise MalformedRecordError(f"{len(answer)} answers for {len(images)} images")
    return [
        Record(f"{event_id}/{number}", time, image, _probabilities(each, classes))
        for number, (image, each) in enumerate(zip(images, answer, strict=True), start=1)
    ]


def decode(side: Mapping[str, Any]) -> bytes:
    """The bytes of a captured request or answer: base64, or text where the encoding is JSON or CSV.

    Raises
    ------
    MalformedRecordError
        The encoding is another, or not what the data is in.
    """
    encoding, data = _text(side, "encoding"), _text(side, "data")
    if encoding in ("JSON", "CSV"):
        return data.encode("utf-8", "surrogatepass")
    if encoding != "BASE64":
        raise MalformedRecordError(f"unknown encoding {encoding[:20]!r}")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRecordError("data that is no base64") from error


def open_image(data: bytes) -> Image.Image:
    """Decode captured bytes as RGB; their size is checked before, and only PNG and JPEG are known.

    Raises
    ------
    ImageRefusedError
        They are no such image, or too large.
    """
    if len(data) > LARGEST_IMAGE:
        raise ImageRefusedError(f"{len(data)} bytes are more than {LARGEST_IMAGE}")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ImageRefusedError(f"{image.width} x {image.height} pixels are more than {MOST_PIXELS}")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow says by each of these that a file is broken
        raise ImageRefusedError("no PNG or JPEG") from error


def _answer(answer: Mapping[str, Any]) -> list[Any]:
    is_csv = "CSV" in _text(answer, "encoding") or str(answer.get("observedContentType", "")).startswith("text/csv")
    data = decode(answer)
    try:
        values = [float(value) for value in data.split(b",")] if is_csv else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedRecordError("an answer that is no list of probabilities") from error
    if not isinstance(values, list) or not values:
        raise MalformedRecordError("an answer that is no list of probabilities")
    return values


def _images(body: bytes) -> list[bytes]:
    try:
        return [base64.b64decode(each["b64"], validate=True) for each in json.loads(body)["instances"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedRecordError("several answers, and a request that is no JSON with images") from error


def _probabilities(values: Any, classes: int) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(map(_is_probability, values)):
        raise MalformedRecordError("an answer that is no list of probabilities")
    if len(values) != classes:
        raise MalformedRecordError(f"{len(values)} probabilities for {classes} classes")
    return tuple(map(float, values))


def _is_probability(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= 1  # type: ignore[arg-type, operator]


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedRecordError(f"inferenceTime {text[:40]!r} is no time") from error
    # AWS writes UTC; a time without a zone is taken for that
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _part(content: Any, name: str) -> Mapping[str, Any]:
    found = content.get(name) if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping):
        raise MalformedRecordError(f"no {name}")
    return found


def _text(content: Mapping[str, Any], name: str) -> str:
    found = content.get(name)
    if not isinstance(found, str):
        raise MalformedRecordError(f"no {name}")
    return found
