"""Data capture: writes an endpoint's requests and responses to S3, in batches and in the background.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import json
import random
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.s3_transfer import split_uri

INTERVAL = 1.0  # seconds between two writes
MAX_RECORDS = 500  # records per file


@dataclass(frozen=True)
class Exchange:
    """One request to a model and its response."""

    content_type: str
    body: bytes
    response_content_type: str
    response: bytes
    inference_id: str | None = None


@dataclass(frozen=True)
class _Destination:
    region: str
    uri: str
    endpoint: str
    variant: str


class Captures:
    """Writes the captured data of all endpoints."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._queue: SimpleQueue[tuple[_Destination, datetime, str]] = SimpleQueue()
        self._stopped = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, config: Mapping[str, Any], exchange: Exchange, *, region: str, endpoint: str, variant: str) -> None:
        """Queue one exchange for writing, if capture is enabled and the exchange is in the random sample.

        Parameters
        ----------
        config
            The endpoint's `DataCaptureConfig`, with the percentage to sample; an empty mapping disables capture.
        """
        if not config.get("EnableCapture"):
            return
        if random.random() * 100 >= config.get("InitialSamplingPercentage", 100):  # noqa: S311 (sampling, not secrets)
            return
        now = datetime.now(UTC)
        destination = _Destination(region, config["DestinationS3Uri"], endpoint, variant)
        self._queue.put((destination, now, json.dumps(record(config, exchange, now), separators=(",", ":"))))

    def flush(self) -> None:
        """Write all queued records."""
        with self._writing:
            for destination, lines in self._drain_queue().items():
                for start in range(0, len(lines), MAX_RECORDS):
                    self._write(destination, lines[start : start + MAX_RECORDS])

    def stop(self) -> None:
        """Stop writing; queued records are discarded, because the emulator's buckets no longer exist after the stop."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self.flush()

    def _drain_queue(self) -> dict[_Destination, list[tuple[datetime, str]]]:
        records: dict[_Destination, list[tuple[datetime, str]]] = defaultdict(list)
        while True:
            try:
                destination, moment, line = self._queue.get_nowait()
            except Empty:
                return records
            records[destination].append((moment, line))

    def _write(self, destination: _Destination, lines: list[tuple[datetime, str]]) -> None:
        bucket, prefix = split_uri(destination.uri)
        moment = lines[0][0]
        name = f"{moment:%Y/%m/%d/%H/%M-%S}-{moment.microsecond // 1000:03d}-{uuid4()}.jsonl"
        parts = (prefix.rstrip("/"), destination.endpoint, destination.variant, name)
        key = "/".join(part for part in parts if part)
        body = "".join(line + "\n" for _, line in lines)
        try:
            self._emulator.client("s3", destination.region).put_object(Bucket=bucket, Key=key, Body=body.encode())
        except (ClientError, BotoCoreError) as error:
            # as on AWS, the endpoint continues to serve requests
            print(f"captured data cannot be written to s3://{bucket}/{key}: {error}", file=sys.stderr)


def record(config: Mapping[str, Any], exchange: Exchange, moment: datetime) -> dict[str, Any]:
    """Return one record of a capture file.

    Parameters
    ----------
    config
        The endpoint's `DataCaptureConfig`, which selects whether the request, the response or both are recorded.
    moment
        Time of the inference.
    """
    modes = {option["CaptureMode"] for option in config.get("CaptureOptions", [])}
    header = config.get("CaptureContentTypeHeader") or {}
    data: dict[str, Any] = {}
    if modes & {"Input", "InputAndOutput"}:
        data["endpointInput"] = _side("INPUT", exchange.content_type, exchange.body, header)
    if modes & {"Output", "InputAndOutput"}:
        data["endpointOutput"] = _side("OUTPUT", exchange.response_content_type, exchange.response, header)
    identity = {"eventId": str(uuid4())}
    if exchange.inference_id:
        identity["inferenceId"] = exchange.inference_id
    return {
        "captureData": data,
        "eventMetadata": {**identity, "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"},
        "eventVersion": "0",
    }


def _side(mode: str, content_type: str, data: bytes, header: Mapping[str, Any]) -> dict[str, str]:
    """Encode a request or response: as text if the capture configuration lists the content type, else as base64."""
    encoding = _encoding(content_type, header)
    text = base64.b64encode(data).decode() if encoding == "BASE64" else data.decode("utf-8", "replace")
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


def _encoding(content_type: str, header: Mapping[str, Any]) -> str:
    plain = content_type.partition(";")[0].strip()
    if plain in header.get("JsonContentTypes", []):
        return "JSON"
    if plain in header.get("CsvContentTypes", []):
        return "CSV"
    return "BASE64"
