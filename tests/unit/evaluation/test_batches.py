"""Batch executions: their input, their progress, their results, and how an interrupted execution is continued."""

# ruff: noqa: N803  boto3's argument names
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from evaluation.batches import (
    BatchConfig,
    check,
    describe,
    download,
    follow,
    keys_input,
    manifest_input,
    prefix_input,
    resume,
    start,
)

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:scones-local-batch"
ARN = "arn:aws:states:us-east-1:123456789012:execution:scones-local-batch:some-name"
REDRIVEN = datetime(2026, 1, 2, tzinfo=UTC)
CONFIG = BatchConfig("local", MACHINE, "some-bucket", ("test", "incoming"), "batch")
SUMMARY = {
    "predictions": "s3://some-bucket/batch/some-name/predictions/",
    "images": 3,
    "classified": 1,
    "low-confidence": 1,
    "failed": 1,
    "errors": {"ImageInvalidError": 1},
}


class FakeS3:
    """An S3 client with one bucket in memory."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        self.objects = objects or {}

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": key} for key in sorted(self.objects) if key.startswith(Prefix)]}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}

    def head_object(self, *, Bucket: str, Key: str) -> None:
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.objects[key] = Path(path).read_bytes()


class FakeStates:
    """A Step Functions client with one execution.

    Parameters
    ----------
    statuses : statuses that DescribeExecution returns in turn; the last status is repeated
    refusal : message with which RedriveExecution fails, or None if it succeeds
    error : error of the failed execution
    source : input of the execution
    """

    def __init__(
        self,
        *statuses: str,
        refusal: str | None = None,
        error: str = "SomeError",
        source: dict[str, Any] | None = None,
    ) -> None:
        self.statuses = list(statuses)
        self.refusal = refusal
        self.error = error
        self.source = source or {}
        self.calls: list[str] = []

    def start_execution(self, **request: Any) -> dict[str, Any]:
        self.calls.append(request["input"])
        return {"executionArn": f"{ARN.rpartition(':')[0]}:{request['name']}"}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if executionArn != ARN:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": "none"}}, "DescribeExecution")
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        ended = {"SUCCEEDED": {"output": json.dumps(SUMMARY)}, "FAILED": {"error": self.error, "cause": "some cause"}}
        return {"status": status, "input": json.dumps(self.source), **ended.get(status, {})}

    def redrive_execution(self, *, executionArn: str) -> dict[str, Any]:
        if self.refusal:
            error = {"Code": "ExecutionNotRedrivable", "Message": self.refusal}
            raise ClientError({"Error": error}, "RedriveExecution")
        self.calls.append(executionArn)
        return {"redriveDate": REDRIVEN}

    def list_map_runs(self, *, executionArn: str) -> dict[str, Any]:
        return {"mapRuns": [{"mapRunArn": "some-run"}]}

    def describe_map_run(self, *, mapRunArn: str) -> dict[str, Any]:
        return {"itemCounts": {"total": 3, "succeeded": 1, "failed": 1}}


@pytest.mark.parametrize("text", ["test", "test/", "/test/", "s3://some-bucket/test", "s3://some-bucket/test/"])
def test_prefix_in_the_input_ends_with_one_slash_and_has_no_bucket(text: str) -> None:
    assert prefix_input(text, CONFIG, s3=FakeS3({"test/a": b""})) == {"prefix": "test/"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "models",
            r"PREFIX must be one of test, incoming, or a folder below these, such as PREFIX=test \(got 'models'\)",
        ),
        ("testing", "PREFIX must be one of"),
        ("s3://other-bucket/test", "PREFIX must be in s3://some-bucket"),
        ("test/none", "there are no objects below s3://some-bucket/test/none/"),
    ],
)
def test_error_says_what_is_wrong_with_a_prefix(text: str, message: str) -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match=message):
        prefix_input(text, CONFIG, s3=FakeS3({"test/a": b"", "testing/a": b""}))


@pytest.mark.parametrize("name", ["keys.jsonl", "keys.csv"])
def test_local_manifest_is_uploaded_under_a_key_that_depends_only_on_its_content(name: str, tmp_path: Path) -> None:
    # GIVEN
    path, s3 = tmp_path / name, FakeS3()
    path.write_text("Key\ntest/a\n")

    # WHEN
    source = manifest_input(str(path), CONFIG, s3=s3)

    # THEN a second upload has the same key
    assert manifest_input(str(path), CONFIG, s3=s3) == source
    assert list(s3.objects) == [source["manifest"]]
    assert source["manifest"].startswith("batch/manifests/")
    assert source["manifest"].endswith(path.suffix)
    assert s3.objects[source["manifest"]] == path.read_bytes()


@pytest.mark.parametrize("prefix", ["", "s3://some-bucket/"])
def test_manifest_in_the_bucket_is_used_without_an_upload(prefix: str) -> None:
    # GIVEN
    s3 = FakeS3({"batch/manifests/keys.jsonl": b""})

    # WHEN / THEN
    assert manifest_input(f"{prefix}batch/manifests/keys.jsonl", CONFIG, s3=s3) == {
        "manifest": "batch/manifests/keys.jsonl"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keys.txt", r"MANIFEST must be JSON Lines .* or CSV .*\(got 'keys.txt'\)"),
        ("no/such/file.jsonl", "MANIFEST must be a local file or an object below batch/manifests/"),
        ("batch/manifests/none.csv", "s3://some-bucket/batch/manifests/none.csv does not exist"),
        ("s3://other/batch/manifests/a.csv", "MANIFEST must be in s3://some-bucket"),
    ],
)
def test_error_says_what_is_wrong_with_a_manifest(text: str, message: str) -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match=message):
        manifest_input(text, CONFIG, s3=FakeS3())


@pytest.mark.parametrize(
    ("name", "text"),
    [("keys.jsonl", ""), ("keys.jsonl", "\n \r\n\n"), ("keys.csv", "\n\n"), ("keys.csv", "\nKey\n\n")],
    ids=["empty", "blank lines", "CSV with blank lines", "CSV with only a header"],
)
def test_local_manifest_without_keys_is_refused(name: str, text: str, tmp_path: Path) -> None:
    # GIVEN
    path, s3 = tmp_path / name, FakeS3()
    path.write_text(text)

    # WHEN / THEN
    with pytest.raises(OperatorError, match=f"must name at least one key, but .*{name} has none$"):
        manifest_input(str(path), CONFIG, s3=s3)
    assert not s3.objects


def test_list_of_keys_may_contain_quoted_keys_and_s3_uris() -> None:
    assert keys_input("test/a+b 'test/a b' s3://some-bucket/test/c", CONFIG) == {
        "keys": ["test/a+b", "test/a b", "test/c"]
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" ", "KEYS must name at least one key"),
        ("'test/a", "KEYS must have a closing quote"),
        ("s3://other/test/a", "KEYS must be in s3://some-bucket"),
        ("test/a " * 40_000, "KEYS must have at most 262144 bytes .* MANIFEST=keys.jsonl"),
    ],
)
def test_error_says_what_is_wrong_with_a_list_of_keys(text: str, message: str) -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match=message):
        keys_input(text, CONFIG)


def test_execution_is_started_and_followed_until_its_summary() -> None:
    # GIVEN
    states = FakeStates("RUNNING", "SUCCEEDED")

    # WHEN
    arn = start({"prefix": "test/"}, CONFIG, states=states)
    summary = follow(ARN, CONFIG, states=states, sleep=lambda seconds: None)

    # THEN
    assert arn.startswith(f"{ARN.rpartition(':')[0]}:20")
    assert states.calls == ['{"prefix": "test/"}']
    assert summary == SUMMARY


def test_error_of_an_unsuccessful_execution_names_the_command_that_continues_it() -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"is FAILED \(SomeError: some cause\).*RESUME=some-name ENV=local"):
        follow(ARN, CONFIG, states=FakeStates("FAILED"))


def test_error_for_a_manifest_that_cannot_be_read_asks_for_a_new_execution() -> None:
    # GIVEN
    states = FakeStates("FAILED", error="States.ItemReaderFailed", source={"manifest": "batch/manifests/a.jsonl"})

    # WHEN
    with pytest.raises(OperatorError) as raised:
        follow(ARN, CONFIG, states=states)

    # THEN
    message = str(raised.value)
    assert "s3://some-bucket/batch/manifests/a.jsonl cannot be read: correct it, and start another execution" in message
    assert "`make batch MANIFEST=... ENV=local`" in message
    assert "RESUME" not in message


def test_error_for_a_prefix_that_could_not_be_listed_names_the_command_that_continues_the_execution() -> None:
    # GIVEN
    states = FakeStates("FAILED", error="States.ItemReaderFailed", source={"prefix": "test/"})

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"States\.ItemReaderFailed.*RESUME=some-name"):
        follow(ARN, CONFIG, states=states)


def test_interrupted_command_says_that_the_execution_continues() -> None:
    # GIVEN a Ctrl-C while the command waits
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    # WHEN / THEN
    with pytest.raises(KeyboardInterrupt, match=f"continues: .*RESUME=some-name .*--execution-arn {ARN}"):
        follow(ARN, CONFIG, states=FakeStates("RUNNING"), sleep=interrupt)


@pytest.mark.parametrize(
    ("status", "redriven"),
    [("FAILED", True), ("TIMED_OUT", True), ("ABORTED", True), ("RUNNING", False), ("SUCCEEDED", False)],
)
@pytest.mark.parametrize("name", ["some-name", ARN], ids=["name", "ARN"])
def test_only_unsuccessful_executions_are_redriven(status: str, redriven: bool, name: str) -> None:
    # GIVEN
    states = FakeStates(status)

    # WHEN / THEN
    assert resume(name, CONFIG, states=states) == (ARN, REDRIVEN if redriven else None)
    assert states.calls == ([ARN] if redriven else [])


class FakeDescriptions(FakeStates):
    """A Step Functions client whose DescribeExecution returns the given descriptions in turn, or raises them.

    The last description is repeated.
    """

    def __init__(self, *descriptions: dict[str, Any] | ClientError) -> None:
        super().__init__("RUNNING")
        self.descriptions = list(descriptions)

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        found = self.descriptions.pop(0) if len(self.descriptions) > 1 else self.descriptions[0]
        if isinstance(found, ClientError):
            raise found
        return {"input": "{}", "output": json.dumps(SUMMARY), **found}


EARLIER = REDRIVEN - timedelta(days=1)
MISSING = ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": "none"}}, "DescribeExecution")


@pytest.mark.parametrize(
    "stale", [{"status": "FAILED"}, {"status": "FAILED", "redriveDate": EARLIER}], ids=["first redrive", "second"]
)
def test_failure_before_the_redrive_does_not_end_the_wait(stale: dict[str, Any]) -> None:
    # GIVEN a description of the time before the redrive, as DescribeExecution is eventually consistent
    states = FakeDescriptions(
        stale,
        {"status": "RUNNING", "redriveDate": REDRIVEN},
        {"status": "SUCCEEDED", "redriveDate": REDRIVEN},
    )

    # WHEN / THEN
    assert follow(ARN, CONFIG, redriven=REDRIVEN, states=states, sleep=lambda seconds: None) == SUMMARY


def test_failure_after_the_redrive_ends_the_wait() -> None:
    # GIVEN
    states = FakeDescriptions({"status": "FAILED", "redriveDate": REDRIVEN})

    # WHEN / THEN
    with pytest.raises(OperatorError, match="is FAILED"):
        follow(ARN, CONFIG, redriven=REDRIVEN, states=states, sleep=lambda seconds: pytest.fail("waited"))


def test_execution_that_was_just_started_need_not_exist_yet() -> None:
    # GIVEN
    states = FakeDescriptions(MISSING, {"status": "SUCCEEDED"})

    # WHEN / THEN
    assert follow(ARN, CONFIG, states=states, sleep=lambda seconds: None) == SUMMARY


@pytest.mark.parametrize(
    ("description", "error"), [(MISSING, ClientError), ({"status": "FAILED"}, OperatorError)], ids=["missing", "stale"]
)
def test_descriptions_that_stay_out_of_date_are_believed_after_half_a_minute(
    description: dict[str, Any] | ClientError, error: type[Exception]
) -> None:
    # GIVEN
    waits: list[float] = []

    # WHEN
    with pytest.raises(error):
        follow(ARN, CONFIG, redriven=REDRIVEN, states=FakeDescriptions(description), sleep=waits.append)

    # THEN
    assert 30 <= sum(waits) < 40


def test_error_says_why_an_execution_cannot_be_resumed() -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match="'other' does not exist: set RESUME"):
        resume("other", CONFIG, states=FakeStates("FAILED"))
    with pytest.raises(OperatorError, match="cannot be resumed: too old"):
        resume("some-name", CONFIG, states=FakeStates("FAILED", refusal="too old"))


def test_result_lines_of_all_batches_are_downloaded_to_one_file_and_failed_images_are_an_error(
    tmp_path: Path,
) -> None:
    # GIVEN the results of two batches, in one of which an image failed
    failed = {"key": "test/a", "outcome": "failed", "error": "ImageInvalidError", "cause": "some cause"}
    prefix = "batch/some-name/predictions/"
    s3 = FakeS3({f"{prefix}1.jsonl": b'{"key": "test/b", "outcome": "classified"}\n'})
    s3.objects[f"{prefix}2.jsonl"] = f"{json.dumps(failed)}\n".encode()
    path = tmp_path / "batch.jsonl"

    # WHEN
    download(SUMMARY, path, s3=s3)

    # THEN
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["test/b", "test/a"]
    with pytest.raises(OperatorError, match=r"1 of 3 images failed, see .*: test/a: ImageInvalidError"):
        check(SUMMARY, path)
    check({**SUMMARY, "failed": 0}, path)
    assert [line.split() for line in describe(SUMMARY)] == [
        ["outcome", "images", "share"],
        ["classified", "1", "33.3%"],
        ["low-confidence", "1", "33.3%"],
        ["failed", "1", "33.3%"],
        ["ImageInvalidError", "1"],
    ]
