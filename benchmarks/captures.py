"""Measure the time and the peak memory in which captured records are read and aggregated, for N and for 10 N records.

An S3 client in this process generates the records, so the results contain no network time.
"""

# ruff: noqa: N803  boto3's argument names

import argparse
import base64
import io
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from botocore.response import StreamingBody
from PIL import Image

from common.inference_ids import inference_id
from evaluation.capture_location import CaptureLocation
from evaluation.capture_table import ALL_TIME, Captures
from evaluation.monitoring import monitor

START = datetime(2026, 3, 1, tzinfo=UTC)
RECORDS_PER_FILE = 8  # largest number of records in the few files from AWS that were available
RECORDS_PER_SECOND = 10  # arrival rate of the simulated requests
FOLDER = "capture/v1/cars/AllTraffic/"
# a template, because json.dumps takes more time, and this time is part of the result
LINE = (
    b'{"captureData":{"endpointInput":{"observedContentType":"image/png","mode":"INPUT","data":"%b","encoding":"BASE64"},'
    b'"endpointOutput":{"observedContentType":"application/json","mode":"OUTPUT","data":"[%f, %f]","encoding":"JSON"}},'
    b'"eventMetadata":{"eventId":"%d-%d","inferenceId":"%b","inferenceTime":"%b"},"eventVersion":"0"}\n'
)
LOCATION = CaptureLocation("s3://b/capture", "v1", "cars", "cars-1", is_complete=True)


class GeneratedS3:
    """A substitute for an S3 client. It generates capture files when they are read.

    Parameters
    ----------
    count : number of records in all files, which is rounded up to whole files
    """

    def __init__(self, count: int) -> None:
        self._files = -(-count // RECORDS_PER_FILE)
        pixels = np.random.default_rng(0).integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
        with io.BytesIO() as stream:
            Image.fromarray(pixels).save(stream, format="PNG")
            self._image = base64.b64encode(stream.getvalue())

    def get_paginator(self, operation: str) -> "GeneratedS3":
        return self

    def paginate(
        self, *, Bucket: str, Prefix: str, StartAfter: str = "", Delimiter: str = ""
    ) -> Iterator[dict[str, Any]]:
        if Delimiter:
            yield {"CommonPrefixes": [{"Prefix": FOLDER}]}
            return
        for number in range(self._files):
            yield {"Contents": [{"Key": f"{FOLDER}{time_of(number):%Y/%m/%d/%H/}{number}.jsonl", "Size": 2**15}]}

    def get_object(self, *, Bucket: str, Key: str, Range: str = "bytes=0-") -> dict[str, Any]:
        number = int(Key.rpartition("/")[2].removesuffix(".jsonl"))
        content = b"".join(self._line(number, each) for each in range(RECORDS_PER_FILE))
        first, _, last = Range.removeprefix("bytes=").partition("-")
        body = content[int(first) : int(last) + 1 if last else None]
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    def _line(self, number: int, position: int) -> bytes:
        confidence = 0.5 + 0.5 * ((number * RECORDS_PER_FILE + position) * 7919 % 10_007) / 10_007
        image_id = inference_id(f"incoming/{number}/{position}.png", "1")
        return LINE % (
            self._image,
            confidence,
            1 - confidence,
            number,
            position,
            image_id.encode(),
            time_of(number).isoformat().encode(),
        )


def time_of(file_number: int) -> datetime:
    """Return the time of all records in a file."""
    return START + timedelta(seconds=file_number * RECORDS_PER_FILE // RECORDS_PER_SECOND)


def measure(count: int) -> str:
    """Read and aggregate `count` records as `make monitor` does, and return a row of the table."""
    started = time.perf_counter()
    captures = Captures(ALL_TIME)
    captures.read_new_files(LOCATION.uri, "cars", classes=2, s3=GeneratedS3(count))
    monitor(captures, LOCATION, other_records=0, threshold=0.93, classes=("bicycle", "motorcycle"), known={})
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return f"{len(captures):>12}{seconds:>10.1f}{len(captures) / seconds:>12.0f}{peak:>10.0f}"


def main() -> None:
    """Measure both numbers of records, each in a separate process, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.captures", description=__doc__)
    parser.add_argument("records", nargs="?", type=int, default=20_000, help="the smaller number of records (20000)")
    parser.add_argument("--one", action="store_true", help="measure only this number, in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(measure(arguments.records))
        return
    print(f"{'records':>12}{'seconds':>10}{'records/s':>12}{'peak MiB':>10}", flush=True)
    for count in (arguments.records, 10 * arguments.records):
        command = [sys.executable, "-m", "benchmarks.captures", "--one", str(count)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})


if __name__ == "__main__":
    main()
