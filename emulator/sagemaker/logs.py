"""A container's output, line by line into CloudWatch while it runs."""

import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

INTERVAL = 0.2  # seconds that lines are gathered
BATCH = 1000  # below CloudWatch's 10,000 events a call


class LogStream:
    """One log stream, written by a thread of its own.

    Parameters
    ----------
    logs
        Client of CloudWatch Logs.
    group, stream
        Their names; made where they are missing.
    """

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self._logs = logs
        self._group = group
        self._stream = stream
        self._lines: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self._closed = threading.Event()
        _ensure(logs, group, stream)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Hand in one line."""
        self._lines.put((int(time.time() * 1000), line.rstrip("\n") or " "))

    def close(self) -> None:
        """Write what is left."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while batch := self._take():
            events = [{"timestamp": moment, "message": line} for moment, line in batch]
            self._logs.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)

    def _take(self) -> list[tuple[int, str]]:
        batch: list[tuple[int, str]] = []
        while len(batch) < BATCH:
            try:
                batch.append(self._lines.get_nowait())
            except Empty:
                break
        return batch


def _ensure(logs: Any, group: str, stream: str) -> None:
    for create, names in (
        (logs.create_log_group, {"logGroupName": group}),
        (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
    ):
        try:
            create(**names)
        except logs.exceptions.ResourceAlreadyExistsException:
            continue
