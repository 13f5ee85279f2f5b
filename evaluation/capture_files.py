"""Read the capture files of a time range from S3, line by line. The memory use does not depend on their size."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code
from common.s3 import THREADS, list_folders, list_objects, split_url
from common.terminal import progress_bar
from common.times import Window

SUFFIX = ".jsonl"
HOUR = timedelta(hours=1)
HOUR_FOLDER = re.compile(r"/(\d{4}/\d{2}/\d{2}/\d{2})/[^/]*$", re.ASCII)
MAX_LINE_BYTES = 64 * 2**20  # far above the size of any request that SageMaker accepts
CHUNK_BYTES = 2**20
MAX_BYTES_AHEAD = 4 * 2**20  # larger files are not read ahead
FILES_AHEAD = 2 * THREADS

# The description of an object in a ListObjectsV2 response
Stored = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A non-empty line of a capture file.

    Attributes
    ----------
    file : key of the file
    number : line number, counted from 1
    offset : position of the line's first byte in the file
    size : number of bytes without the line break
    content : the line's bytes; None if the line is longer than `MAX_LINE_BYTES`
    """

    file: str
    number: int
    offset: int
    size: int
    content: bytes | None


def split_folder(uri: str) -> tuple[str, str]:
    """Return the bucket and the key prefix of an S3 URI. The prefix ends in a slash, or is empty."""
    bucket, key = split_url(uri)
    return bucket, f"{key.rstrip('/')}/" if key else ""


def list_files(bucket: str, folder: str, window: Window, *, s3: Any) -> Iterator[Stored]:
    """Yield the capture files of a time range, and of the hour before and the hour after it, by variant and time.

    Each hour has a folder, `<folder>/<variant>/yyyy/mm/dd/hh/`. A file contains the records of some minutes, and the
    clocks of instances may differ. The folders of the hours before and after the time range can therefore contain
    records of the time range. Source:
    https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html

    Parameters
    ----------
    folder : key prefix of an endpoint's capture files, with a slash at the end
    """
    first, last = window.start - HOUR, window.end + HOUR
    for variant in list_folders(bucket, folder, s3=s3):
        start, end = (f"{folder}{variant}/{moment:%Y/%m/%d/%H}" for moment in (first, last))
        for stored in list_objects(bucket, f"{folder}{variant}/", s3=s3, after=start):
            key = stored["Key"]
            if key[: len(end)] > end:
                break
            if key.endswith(SUFFIX) and HOUR_FOLDER.search(key):
                yield stored


def read_lines(bucket: str, files: Iterable[Stored], *, s3: Any) -> Iterator[Line]:
    """Yield the lines of files in order; threads read small files ahead."""
    with progress_bar(desc="reading", unit="line", unit_scale=True, delay=1.0) as bar:
        for key, chunks in _read_ahead(bucket, files, s3=s3):
            for line in split_lines(key, chunks):
                bar.update()
                yield line


def read_range(bucket: str, line: Line, *, s3: Any) -> bytes | None:
    """Read one line again. Return None if the file was deleted meanwhile."""
    try:
        response = s3.get_object(
            Bucket=bucket, Key=line.file, Range=f"bytes={line.offset}-{line.offset + line.size - 1}"
        )
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        return None
    content: bytes = response["Body"].read()
    return content


def split_lines(file: str, chunks: Iterable[bytes]) -> Iterator[Line]:
    """Yield the non-empty lines of a file, and keep at most one line of `MAX_LINE_BYTES` in memory.

    Parameters
    ----------
    file : key of the file
    chunks : content of the file
    """
    number, offset, size, parts = 1, 0, 0, list[bytes]()

    def line() -> Line | None:
        content = None if size > MAX_LINE_BYTES else b"".join(parts)
        return Line(file, number, offset, size, content) if content is None or content.strip() else None

    for chunk in chunks:
        for index, part in enumerate(chunk.split(b"\n")):
            if index:  # the part follows a line break
                if found := line():
                    yield found
                number, offset, size, parts = number + 1, offset + size + 1, 0, []
            size += len(part)
            if size <= MAX_LINE_BYTES:
                parts.append(part)
            else:
                parts.clear()
    if found := line():
        yield found


def hour_of(file: str) -> Window | None:
    """Return the hour whose folder contains a file, or None if the file is not in the folder of an hour."""
    match = HOUR_FOLDER.search(file)
    try:
        start = datetime.strptime(match[1], "%Y/%m/%d/%H").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
    return Window(start, start + HOUR) if start else None


def _read_ahead(bucket: str, files: Iterable[Stored], *, s3: Any) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield each file's key and content, while threads read the next small files."""

    def read(stored: Stored) -> list[bytes]:
        return list(_chunks(bucket, stored["Key"], s3=s3))

    pool = ThreadPoolExecutor(THREADS)
    ahead: deque[tuple[str, Future[list[bytes]] | None]] = deque()

    def take() -> tuple[str, Iterable[bytes]]:
        key, future = ahead.popleft()
        return key, future.result() if future else _chunks(bucket, key, s3=s3)

    try:
        for stored in files:
            is_small = stored["Size"] <= MAX_BYTES_AHEAD
            ahead.append((stored["Key"], pool.submit(read, stored) if is_small else None))
            if len(ahead) > FILES_AHEAD:
                yield take()
        while ahead:
            yield take()
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(bucket: str, key: str, *, s3: Any) -> Iterator[bytes]:
    """Yield the content of an object; yield nothing if the object was deleted after it was listed."""
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error_code(error) != "NoSuchKey":  # the bucket's lifecycle deletes old files at any time
            raise
        return
    with body:
        yield from body.iter_chunks(CHUNK_BYTES)
