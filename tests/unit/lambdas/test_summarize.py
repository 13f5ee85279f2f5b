# ruff: noqa: N803  (boto3 names its arguments in CamelCase)
"""The function summarize adds the counts of all batches, and writes a line for each image of a failed batch."""

import io
import json
import tracemalloc
from types import ModuleType
from typing import Any, BinaryIO

import pytest
from botocore.response import StreamingBody

MANIFEST = "batch/a/results/1/manifest.json"
EVENT = {"bucket": "some-bucket", "manifest": MANIFEST, "folder": "batch/a", "execution": "arn"}


class FakeS3:
    """An in-memory S3 bucket."""

    def __init__(self, objects: dict[str, str]) -> None:
        self.objects = {key: text.encode() for key, text in objects.items()}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        content = self.objects[Key]
        return {"Body": StreamingBody(io.BytesIO(content), len(content))}

    def put_object(self, Bucket: str, Key: str, Body: bytes | BinaryIO) -> None:
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()


def succeeded(number: int, **counts: int) -> dict[str, Any]:
    """Return the entry of a child execution that succeeded, in a result file of a Map state.

    Parameters
    ----------
    number : number of the batch
    counts : counts of images that the child execution returned
    """
    output = {"predictions": f"batch/a/predictions/{number}.jsonl", "errors": {}, **counts}
    return {"Status": "SUCCEEDED", "Input": "{}", "Output": json.dumps(output)}


def failed(items: list[Any], **fields: str) -> dict[str, Any]:
    """Return the entry of a child execution that failed on a batch of `items`, in a result file of a Map state."""
    return {"Status": "FAILED", "Input": json.dumps({"Items": items, "BatchInput": {}}), **fields}


def run(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, files: dict[str, list[dict[str, Any]]]
) -> tuple[dict[str, Any], FakeS3]:
    """Run the function, and return the summary and the bucket.

    Parameters
    ----------
    files : entries of the Map state's result files, by the name of the file, such as `SUCCEEDED`
    """
    listed = {name: [{"Key": f"{name}_0.jsonl"}] for name in files}
    texts = {f"{name}_0.jsonl": "\n".join(map(json.dumps, children)) for name, children in files.items()}
    s3 = FakeS3({MANIFEST: json.dumps({"ResultFiles": {"PENDING": [], **listed}}), **texts})
    monkeypatch.setattr(module, "s3", s3)
    return module.handler(EVENT, None), s3


def test_counts_of_each_batch_are_added_once(summarize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN two batches, of which the first is listed twice
    first = succeeded(1, images=3, classified=2, **{"low-confidence": 1, "failed": 0})
    second = succeeded(2, images=1, classified=0, **{"low-confidence": 0, "failed": 1})
    second["Output"] = second["Output"].replace('"errors": {}', '"errors": {"ImageInvalidError": 1}')

    # WHEN
    summary, s3 = run(summarize, monkeypatch, {"SUCCEEDED": [first, second, first]})

    # THEN
    assert summary == {
        "execution": "arn",
        "predictions": "s3://some-bucket/batch/a/predictions/",
        "images": 4,
        "classified": 2,
        "low-confidence": 1,
        "failed": 1,
        "errors": {"ImageInvalidError": 1},
    }
    assert json.loads(s3.objects["batch/a/summary.json"]) == summary


def test_each_image_of_a_failed_batch_has_a_line_with_the_error(
    summarize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a batch that failed, a batch that timed out, and a batch that failed once and then succeeded
    items = ["test/c"]
    retried = succeeded(0, images=1, classified=1, **{"low-confidence": 0, "failed": 0})
    key = f"batch/a/predictions/{summarize.digest(items)}.jsonl"
    retried["Output"] = retried["Output"].replace("batch/a/predictions/0.jsonl", key)
    unsuccessful = [
        failed([{"Key": "test/a"}, 7], Error="EndpointUnavailableError", Cause="some cause"),
        {**failed(["test/b"]), "Status": "TIMED_OUT"},
        failed(items, Error="EndpointUnavailableError"),
    ]

    # WHEN
    summary, s3 = run(summarize, monkeypatch, {"SUCCEEDED": [retried], "FAILED": unsuccessful})

    # THEN
    lines = [json.loads(line) for line in s3.objects["batch/a/predictions/failed-batches.jsonl"].splitlines()]
    assert [(line["key"], line["outcome"], line["error"], line["cause"]) for line in lines] == [
        ("test/a", "failed", "EndpointUnavailableError", "some cause"),
        ("7", "failed", "EndpointUnavailableError", "some cause"),
        ("test/b", "failed", "TIMED_OUT", ""),
    ]
    assert (summary["images"], summary["classified"], summary["failed"]) == (4, 1, 3)
    assert summary["errors"] == {"EndpointUnavailableError": 2, "TIMED_OUT": 1}


def test_memory_does_not_grow_with_the_size_of_the_result_lines(
    summarize: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN 10 failed batches, whose result lines have 10 MB in total, and a bucket that does not keep the lines
    batches = [failed([f"test/{batch}/{image}" for image in range(100)], Cause="x" * 10_000) for batch in range(10)]
    sizes: list[int] = []

    def put_object(self: FakeS3, Bucket: str, Key: str, Body: bytes | BinaryIO) -> None:
        sizes.append(len(Body) if isinstance(Body, bytes) else Body.seek(0, io.SEEK_END))

    monkeypatch.setattr(FakeS3, "put_object", put_object)

    # WHEN
    tracemalloc.start()
    try:
        summary, _ = run(summarize, monkeypatch, {"FAILED": batches})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # THEN
    assert summary["failed"] == 1000
    assert sizes[0] > 10_000_000
    assert peak < 2_000_000


def test_summarize_and_classify_batch_give_a_batch_the_same_hash(
    summarize: ModuleType, classify_batch: ModuleType
) -> None:
    items = [{"Key": "test/ä"}, "test/b", None, 1.5]
    assert summarize.digest(items) == classify_batch.digest(items)


@pytest.mark.parametrize("field", ["bucket", "manifest", "folder"])
def test_event_without_a_required_field_is_rejected(summarize: ModuleType, field: str) -> None:
    # WHEN / THEN
    with pytest.raises(summarize.EventError, match=field):
        summarize.handler({**EVENT, field: ""}, None)
