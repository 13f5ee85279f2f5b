"""Stream the requests and responses that an endpoint captured in a time range."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common.s3 import list_folders
from common.times import Window
from evaluation.capture_files import MAX_LINE_BYTES, Line, hour_of, list_files, read_lines, split_folder
from training.container.classifier.captured_records import MalformedRecordError, Record, parse_records, parse_time


@dataclass(frozen=True)
class MalformedLine:
    """A line that could not be read, and the reason."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


def stream_records(
    uri: str, endpoint: str, window: Window, *, classes: int, s3: Any
) -> Iterator[Record | MalformedLine]:
    """Yield the records of an endpoint in a time range, and the lines that could not be read, by variant and file.

    Parameters
    ----------
    uri : the `DestinationS3Uri` of the endpoint's data capture
    classes : number of probabilities in each prediction
    """
    bucket, prefix = split_folder(uri)
    for line in read_lines(bucket, list_files(bucket, f"{prefix}{endpoint}/", window, s3=s3), s3=s3):
        yield from parse_line(line, window, classes=classes)


def parse_line(line: Line, window: Window, *, classes: int) -> Iterator[Record | MalformedLine]:
    """Yield the records of a line that are in the time range, or the reason why the line cannot be read.

    The time of a line that cannot be read is unknown. The line is reported if the hour of its file overlaps the time
    range.
    """
    try:
        if line.content is None:
            raise MalformedRecordError(f"longer than {MAX_LINE_BYTES} bytes")
        records = parse_records(line.content, classes=classes)
    except MalformedRecordError as error:
        hour = hour_of(line.file)
        if hour is None or (hour.start < window.end and window.start < hour.end):
            yield MalformedLine(line.file, line.number, str(error))
        return
    yield from (record for record in records if record.time in window)


def count_other_requests(parent_uri: str, endpoint: str, model: str, window: Window, *, s3: Any) -> int:
    """Return the number of an endpoint's captured requests in a time range, except those to one model.

    A line of a capture file describes a request, which may contain several images. Lines without a time are not
    counted.

    Parameters
    ----------
    parent_uri : S3 URI of the folder that contains a folder for each model
    model : version of the model whose requests are not counted
    """
    bucket, prefix = split_folder(parent_uri)
    return sum(
        _is_in(window, line)
        for other in list_folders(bucket, prefix, s3=s3)
        if other != model
        for line in read_lines(bucket, list_files(bucket, f"{prefix}{other}/{endpoint}/", window, s3=s3), s3=s3)
    )


def _is_in(window: Window, line: Line) -> bool:
    try:
        return line.content is not None and parse_time(line.content) in window
    except MalformedRecordError:
        return False
