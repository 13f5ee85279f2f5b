"""Map Runs store items and results on disk, and therefore need little memory."""

import io
import json
import tracemalloc
from collections.abc import Iterator

from sagelocal.services.stepfunctions.item_reader import _parsed
from sagelocal.services.stepfunctions.map_runs import SUCCEEDED, MapRun
from sagelocal.services.stepfunctions.texts import Texts


class Lines(io.RawIOBase):
    """A file of numbered JSON lines, which are generated when they are read."""

    def __init__(self, count: int) -> None:
        self._lines: Iterator[bytes] = (json.dumps({"key": f"{n:0200}"}).encode() + b"\n" for n in range(count))

    def read(self, size: int = -1, /) -> bytes:
        return b"".join(line for _, line in zip(range(1000), self._lines, strict=False))


def test_texts_are_read_by_index() -> None:
    # GIVEN more texts than are kept in memory
    texts = Texts()
    indices = [texts.add(f"é{number}" * 100_000) for number in range(5)]

    # WHEN they are read, THEN each index returns its own text
    assert [texts[index][:2] for index in indices] == [f"é{number}" for number in range(5)]
    assert len(texts) == 5


def test_large_dataset_needs_little_memory() -> None:
    # GIVEN a Map Run with a dataset of 2 MB of JSON lines
    count = 10_000
    run = MapRun("Each", "arn:a:states:r:1:stateMachine:m/l", "run", express=True, count=None, percentage=None)
    tracemalloc.start()

    # WHEN all its items are read, and some child executions have ended
    items = _parsed(None, Lines(count), {"InputType": "JSONL"})
    run.store_inputs((item, 1) for item in items)
    after_reading, _ = tracemalloc.get_traced_memory()
    for index in range(200):
        run.finish(run.start(index, attempt=0), SUCCEEDED, output='"x"' * 1000)
    after_running, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # THEN neither the items nor the results are kept in memory
    assert run.counts(items=True)["total"] == count
    assert after_reading < 1_000_000
    assert after_running - after_reading < 200 * 2_000
    assert peak < 3_500_000
