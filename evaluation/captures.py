"""Read the requests and responses that an endpoint captured, from S3 or from a local folder."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code
from common.s3 import THREADS, list_objects, split_url
from common.terminal import progress_bar
from training.container.classifier.captured_records import MalformedRecordError, Record, parse_records

SUFFIX = ".jsonl"
MIN_FILES_FOR_BAR = 100  # a progress bar for fewer files would only flicker


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
