"""Writes a container's output to CloudWatch Logs while the container runs."""

import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

INTERVAL = 0.2  # seconds between two writes
BATCH = 1000  # events per call; CloudWatch allows 10,000
MAX_LINE = 262_000  # bytes after which a line is cut; less than CloudWatch's limit for an event


class LogStream:
    """One log stream, written by a background thread.

    Parameters
    ----------
    logs
        CloudWatch Logs client.
    group, stream
        Names of the log group and stream, which are created if missing.
    """

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self._logs = logs
        self.group = group
        self.stream = stream
        self._lines: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self._closed = threading.Event()
        self._create()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue one line for writing."""
        # CloudWatch refuses empty messages, so an empty line becomes a space
        self._lines.put((int(time.time() * 1000), _cut(line.rstrip("\n")) or " "))

    def close(self) -> None:
        """Write the remaining lines and stop."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while batch := self._next_batch():
            try:
                self._put(batch)
            except (ClientError, BotoCoreError) as error:
                # as on AWS, the container continues to run
                print(f"cannot write to log {self.group}, {self.stream}; the lines are lost: {error}", file=sys.stderr)

    def _put(self, batch: list[tuple[int, str]]) -> None:
        events = [{"timestamp": moment, "message": line} for moment, line in batch]
        request = {"logGroupName": self.group, "logStreamName": self.stream, "logEvents": events}
        try:
            self._logs.put_log_events(**request)
        except self._logs.exceptions.ResourceNotFoundException:  # the group or stream was deleted after its creation
            self._create()
            self._logs.put_log_events(**request)

    def _next_batch(self) -> list[tuple[int, str]]:
        batch: list[tuple[int, str]] = []
        while len(batch) < BATCH:
            try:
                batch.append(self._lines.get_nowait())
            except Empty:
                break
        return batch

    def _create(self) -> None:
        for create, names in (
            (self._logs.create_log_group, {"logGroupName": self.group}),
            (self._logs.create_log_stream, {"logGroupName": self.group, "logStreamName": self.stream}),
        ):
            try:
                create(**names)
            except self._logs.exceptions.ResourceAlreadyExistsException:
                continue


def _cut(line: str) -> str:
    return line.encode()[:MAX_LINE].decode(errors="ignore")
