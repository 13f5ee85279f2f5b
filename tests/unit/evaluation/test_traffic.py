"""Simulated traffic: arrivals, the outcome of each uploaded object version, problems, and the summary."""

# ruff: noqa: N803  boto3's argument names

import csv
import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evaluation.traffic import UPLOAD_THREADS, Follower, Target, Traffic, Upload, drive
from evaluation.traffic_arrivals import (
    NAMES,
    UNLIKE_SHARE,
    UNREADABLE_SHARE,
    Arrival,
    burst_arrivals,
    content,
    poisson_arrivals,
)
from evaluation.traffic_report import draw, find_problems, labels_csv, summary, to_json
from training.container.classifier.images import ImageError, read_image

TARGET = Target("bucket", "incoming", "vehicles", "drivers", "review", "machine")
IMAGES = [b"first", b"second"]


class FakeWorkflow:
    """S3, DynamoDB and Step Functions clients, which write an item as soon as an image is uploaded.

    Attributes
    ----------
    outcomes : outcome by the number of the upload, which starts at 0: `recorded`, `review`, the status of an execution
        that writes no item, or None for no execution; by default `recorded`
    items : DynamoDB items of object versions by image URI and version
    drivers : DynamoDB items of drivers by name
    executions : descriptions of the executions, the newest first
    reviews : keys of review entries and copied images
    reads : number of keys in each BatchGetItem request
    threads : IDs of the threads that uploaded images
    fails : whether uploads fail
    """

    def __init__(self, outcomes: dict[int, str | None] | None = None) -> None:
        self.outcomes = outcomes or {}
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.drivers: dict[str, dict[str, Any]] = {}
        self.executions: list[dict[str, Any]] = []
        self.reviews: list[str] = []
        self.reads: list[int] = []
        self.threads: set[int] = set()
        self.fails = False
        self._lock = threading.Lock()
        self._count = 0

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> dict[str, str]:
        if self.fails:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
        with self._lock:
            self.threads.add(threading.get_ident())
            number, self._count = self._count, self._count + 1
            version = f"v{number:05}"
            self._classify(f"s3://{Bucket}/{Key}", Key, version, self.outcomes.get(number, "recorded"))
        return {"VersionId": version}

    def _classify(self, image: str, key: str, version: str, outcome: str | None) -> None:
        if outcome is None:
            return
        arn, now = f"arn:{version}", datetime.now(UTC)
        status = {"recorded": "SUCCEEDED", "review": "FAILED"}.get(outcome, outcome)
        event = {"detail": {"bucket": {"name": "bucket"}, "object": {"key": key, "version-id": version}}}
        self.executions.insert(0, {"executionArn": arn, "startDate": now, "status": status, "input": json.dumps(event)})
        if status not in ("SUCCEEDED", "RUNNING"):
            self.executions[0]["error"] = "Broken"
        if outcome not in ("recorded", "review"):
            return
        driver = key.split("/")[1]
        item = {"image": image, "version": version, "outcome": outcome, "execution": arn, "recorded": now.isoformat()}
        self.items[image, version] = {**item, "driver": driver, "photographed": "2026-01-01T00:00:00Z"}
        if outcome == "review":
            self.items[image, version]["error"] = "ImageInvalidError"
            self.reviews += [f"review/ImageInvalidError/{driver}/{version}{suffix}" for suffix in ("", ".json")]
            return
        order = f"2026-01-01T00:00:00Z#{key}#{version}"
        if self.drivers.get(driver, {}).get("photograph_order", "") < order:
            self.drivers[driver] = {"driver": driver, "photograph_order": order}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, request),) = RequestItems.items()
        assert 1 <= len(request["Keys"]) <= 100
        self.reads.append(len(request["Keys"]))
        rows: list[dict[str, Any] | None] = [
            self.items.get((key["image"]["S"], key["version"]["S"]))
            if table == "vehicles"
            else self.drivers.get(key["driver"]["S"])
            for key in request["Keys"]
        ]
        found = [{name: {"S": value} for name, value in row.items()} for row in rows if row]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def get_paginator(self, operation: str) -> Any:
        return {"list_executions": FakePages(self._executions), "list_objects_v2": FakePages(self._objects)}[operation]

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        return next(each for each in self.executions if each["executionArn"] == executionArn)

    def _executions(self, *, stateMachineArn: str, statusFilter: str) -> dict[str, Any]:
        return {"executions": [each for each in self.executions if each["status"] == statusFilter]}

    def _objects(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> dict[str, Any]:
        found = [key for key in self.reviews if key.startswith(Prefix)]
        if Delimiter:
            folders = {Prefix + key.removeprefix(Prefix).split("/")[0] + "/" for key in found}
            return {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]}
        return {"Contents": [{"Key": key} for key in found]}


class FakePages:
    """A paginator with one page."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        yield self._page(**arguments)


def follow(workflow: FakeWorkflow, arrivals: list[Arrival]) -> Traffic:
    """Upload images, and follow them until each has an outcome or the timeout is reached."""
    return drive(
        arrivals, IMAGES, TARGET, s3=workflow, dynamodb=workflow, states=workflow, interval=0.001, timeout=0.02
    )


def problems_of(workflow: FakeWorkflow, traffic: Traffic) -> list[str]:
    """Return the problems that are found in the results of simulated traffic."""
    return find_problems(traffic, TARGET, s3=workflow, dynamodb=workflow)


def test_random_seed_determines_the_traffic() -> None:
    assert poisson_arrivals(5, 60, seed=1) == poisson_arrivals(5, 60, seed=1)
    assert poisson_arrivals(5, 60, seed=1) != poisson_arrivals(5, 60, seed=2)
    assert [content(each, IMAGES) for each in burst_arrivals(50, seed=3)] == [
        content(each, IMAGES) for each in burst_arrivals(50, seed=3)
    ]


def test_arrivals_have_the_requested_rate_and_the_shares_of_each_kind() -> None:
    # WHEN
    arrivals = poisson_arrivals(50, 60, seed=1)

    # THEN
    assert len(arrivals) == pytest.approx(50 * 60, rel=0.1)
    assert all(0 <= each.seconds < 60 for each in arrivals)
    for kind, share in (("unreadable", UNREADABLE_SHARE), ("unlike", UNLIKE_SHARE)):
        assert sum(each.kind == kind for each in arrivals) / len(arrivals) == pytest.approx(share, abs=0.02)


def test_drivers_upload_several_images_and_replace_objects() -> None:
    # WHEN
    arrivals = burst_arrivals(500, seed=1)

    # THEN
    assert len({each.driver for each in arrivals}) == 50
    assert len({(each.driver, each.name) for each in arrivals}) <= 50 * len(NAMES) < len(arrivals)


def test_unlike_images_can_be_decoded_and_unreadable_images_cannot() -> None:
    read_image(content(Arrival(0, "driver", "name", "unlike", 1), IMAGES))
    with pytest.raises(ImageError):
        read_image(content(Arrival(0, "driver", "name", "unreadable", 1), IMAGES))


def test_label_file_has_the_true_label_of_each_readable_image() -> None:
    # GIVEN
    traffic = follow(FakeWorkflow(), burst_arrivals(200, seed=1))

    # WHEN
    rows = list(csv.DictReader(io.StringIO(labels_csv(traffic, ["bicycle", "motorcycle"]))))

    # THEN
    by_version = {each.version: each for each in traffic.uploads}
    assert len(rows) == sum(each.arrival.kind != "unreadable" for each in traffic.uploads)
    for row in rows:
        upload = by_version[row["version"]]
        assert upload.image == f"s3://bucket/{row['key']}"
        number = upload.arrival.number % 2
        assert row["label"] == (["bicycle", "motorcycle"][number] if upload.arrival.kind == "test" else "neither")


def test_every_uploaded_object_version_is_followed_until_its_item_exists() -> None:
    # GIVEN
    workflow = FakeWorkflow({3: "review"})

    # WHEN
    traffic = follow(workflow, burst_arrivals(250, seed=1))

    # THEN
    assert sorted(str(each.outcome) for each in traffic.uploads) == ["recorded"] * 249 + ["review"]
    assert {each.key for each in traffic.uploads} == set(workflow.items)
    assert all(each.seconds is not None for each in traffic.uploads)
    assert problems_of(workflow, traffic) == []
    assert len(workflow.threads) <= UPLOAD_THREADS


def test_number_of_reads_does_not_grow_with_the_number_of_pending_images() -> None:
    # GIVEN 1,000 pending images, of which the first 500 have an item
    workflow = FakeWorkflow()
    images = [(f"s3://bucket/{number}", "v") for number in range(1000)]
    now = datetime.now(UTC).isoformat()
    for image in images[:500]:
        item = {"outcome": "recorded", "execution": "arn", "recorded": now, "photographed": now}
        workflow.items[image] = {"image": image[0], "version": "v", **item}
    follower = Follower(TARGET, started=0, dynamodb=workflow, states=workflow)
    arrival = burst_arrivals(1, seed=1)[0]
    follower.pending = {image: Upload(arrival, image[0], 0, version="v") for image in images}

    # WHEN / THEN
    assert follower.poll() == 500
    assert len(workflow.reads) == 6
    assert follower.poll() == 0
    assert len(workflow.reads) == 7


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        pytest.param(None, "no item and no execution", id="no execution"),
        pytest.param("FAILED", "no item: Broken", id="failed"),
        pytest.param("TIMED_OUT", "no item: Broken", id="timed out"),
        pytest.param("RUNNING", "the execution is still running", id="running"),
        pytest.param("SUCCEEDED", "no item: SUCCEEDED", id="succeeded"),
    ],
)
def test_image_without_an_item_is_reported_as_lost(outcome: str | None, reason: str) -> None:
    # GIVEN
    workflow = FakeWorkflow({0: outcome})

    # WHEN
    traffic = follow(workflow, burst_arrivals(5, seed=1))

    # THEN
    (problem,) = problems_of(workflow, traffic)
    assert "version v00000: lost: " in problem
    assert reason in problem
    (lost,) = [each for each in traffic.uploads if each.outcome == "lost"]
    assert lost.execution == (outcome and "arn:v00000")


def test_failed_upload_is_a_problem() -> None:
    # GIVEN
    workflow = FakeWorkflow()
    workflow.fails = True

    # WHEN
    traffic = follow(workflow, burst_arrivals(1, seed=1))

    # THEN
    (problem,) = problems_of(workflow, traffic)
    assert "failed upload: An error occurred (AccessDenied)" in problem


def test_image_with_two_results_is_a_problem() -> None:
    # GIVEN two reviewed images and two recorded images
    workflow = FakeWorkflow({0: "review", 1: "review"})
    traffic = follow(workflow, burst_arrivals(4, seed=1))
    uploads = {str(each.version): each for each in traffic.uploads}

    # WHEN the item of one image names another execution, and two images have an additional review entry
    first, second, third = (uploads[f"v0000{number}"] for number in range(3))
    workflow.items[first.key]["execution"] = "arn:other"
    workflow.reviews.append(f"review/Other/{second.arrival.driver}/{second.version}.json")
    workflow.reviews.append(f"review/Other/{third.arrival.driver}/{third.version}.json")

    # THEN
    found = problems_of(workflow, traffic)
    assert len(found) == 3
    assert all("ended twice" in problem for problem in found)


def test_missing_review_entry_and_missing_driver_item_are_problems() -> None:
    # GIVEN
    workflow = FakeWorkflow({0: "review"})
    traffic = follow(workflow, burst_arrivals(3, seed=1))

    # WHEN
    workflow.reviews.clear()
    workflow.drivers.clear()

    # THEN
    review, driver = problems_of(workflow, traffic)
    assert "no review entry for ImageInvalidError" in review
    assert "the driver's item has none" in driver


def test_results_until_an_interrupt_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a Ctrl-C at the first pause
    workflow = FakeWorkflow({0: None})

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evaluation.traffic.time.sleep", interrupt)

    # WHEN
    traffic = follow(workflow, [*burst_arrivals(1, seed=1), *poisson_arrivals(0.01, 1000, seed=1)])

    # THEN
    assert isinstance(traffic.interruption, KeyboardInterrupt)
    assert len(traffic.uploads) == 1
    assert "not followed to its end" in "\n".join(summary(traffic, []))


def test_results_until_an_aws_error_are_kept() -> None:
    # GIVEN
    workflow = FakeWorkflow()
    error = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "BatchGetItem")

    def fail(**arguments: Any) -> dict[str, Any]:
        raise error

    workflow.batch_get_item = fail  # type: ignore[method-assign]

    # WHEN
    traffic = follow(workflow, burst_arrivals(3, seed=1))

    # THEN
    assert traffic.interruption is error
    assert len(traffic.uploads) == 3


def test_results_contain_every_upload_and_are_summarized_and_plotted(tmp_path: Path) -> None:
    # GIVEN
    workflow = FakeWorkflow({0: "review", 1: None})
    traffic = follow(workflow, burst_arrivals(20, seed=1))
    problems = problems_of(workflow, traffic)

    # WHEN
    result = to_json(traffic, problems, {"burst": 20})
    lines = list(summary(traffic, problems))

    # THEN
    assert json.loads(json.dumps(result))["outcomes"] == {"recorded": 18, "review: ImageInvalidError": 1, "lost": 1}
    assert len(result["uploads"]) == 20
    assert any(line.startswith("recorded") and "90.0%" in line for line in lines)
    assert all(len(line) <= 80 for line in lines if not line.startswith("problem"))
    from evaluation.figures import LIGHT

    assert len(draw(LIGHT, traffic).axes) == 3


def test_summary_says_that_nothing_was_uploaded() -> None:
    assert list(summary(Traffic(0), [])) == ["nothing was uploaded"]
