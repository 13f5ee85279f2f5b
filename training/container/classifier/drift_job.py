"""The drift job: compare the images captured in the last hours with the baseline of the model in use.

The job runs in the inference container, in the folder of the unpacked model.tar.gz. It writes its result to S3 below
`history/` and publishes CloudWatch metrics. If a property of the images has drifted, the job also stores the most
unusual images for review and publishes to an SNS topic. The job counts invalid captured records and ignores
them, but an unexpected AWS error makes the job fail.

The window is the period whose captured images are compared with the baseline.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.exceptions import ClientError

from .baseline import BaselineError, Sample, read_baseline
from .captured_records import MalformedRecordError, Record, object_name, parse_records
from .drift import (
    FAMILY_WISE_LEVEL,
    GROUPS,
    MIN_BASELINE_IMAGES,
    MIN_IMAGES,
    NEIGHBOURS,
    Change,
    compare,
    drifted_groups,
    histogram,
    unusual_images,
)
from .onnx_session import open_session
from .window_sample import WindowSample, image_hash

HOUR = timedelta(hours=1)
CHUNK = 2**16  # number of bytes that are read at once
MAX_EXAMPLES = 10  # largest number of unusual images that are stored for review
MAX_REASONS = 5  # largest number of malformed lines whose reasons are in the result
SMALLEST_P = 1e-9  # smaller p-values are printed as "p below 1e-09"
MAX_POINTS = 300  # largest number of embeddings in the result, for the baseline and for the window
SUBJECT_LENGTH = 100  # maximum length of an SNS subject: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
CONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict")  # S3 error codes if the object already exists


@dataclass(frozen=True)
class Settings:
    """The job's settings, each of which is an environment variable with the name in upper case.

    Attributes
    ----------
    environment : name of the environment, such as `dev`
    captures_prefix : S3 key prefix of the captured data of the endpoint's production variant
    history_prefix, review_prefix : S3 key prefixes of the results and of the images for review
    model : model version, such as `v3`
    namespace : CloudWatch namespace of the metrics
    window_end : scheduled time of the job
    window_hours : length of the window in hours
    capture_delay_minutes : time that SageMaker needs to write a record to S3. The window ends this many minutes before
        `window_end`
    """

    environment: str
    region: str
    bucket: str
    captures_prefix: str
    history_prefix: str
    review_prefix: str
    model: str
    namespace: str
    topic_arn: str
    window_end: datetime
    window_hours: int
    capture_delay_minutes: int

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Settings":
        """Read the settings from environment variables."""
        numbers = ("window_hours", "capture_delay_minutes")
        values: dict[str, Any] = {name: variables[name.upper()] for name in cls.__dataclass_fields__}
        values |= {name: int(values[name]) for name in numbers}
        return cls(**{**values, "window_end": datetime.fromisoformat(values["window_end"]).astimezone(UTC)})

    @property
    def end(self) -> datetime:
        """End of the window. Later records may not be in S3 yet, so they belong to the next window."""
        return self.window_end - timedelta(minutes=self.capture_delay_minutes)

    @property
    def start(self) -> datetime:
        """Start of the window."""
        return self.end - timedelta(hours=self.window_hours)


@dataclass(frozen=True)
class Example:
    """A record with an unusual image, and the image's distance to the baseline."""

    record: Record
    distance: float


@dataclass
class Captures:
    """The captured records of the window, which are read from S3, and counts of valid and malformed records.

    Attributes
    ----------
    classes : number of classes of the model
    records : number of records of the window that were read
    malformed : number of lines that are not valid records
    reasons : S3 key, line number and error of each of the first MAX_REASONS malformed lines
    """

    settings: Settings
    classes: int
    s3: Any
    records: int = 0
    malformed: int = 0
    reasons: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Record]:
        """Yield the records of the window. Files are read as streams to limit the memory.

        The time of a malformed line is unknown, so the line is counted if the hour of its file overlaps the window.
        """
        for hour, key in self._files():
            for number, line in enumerate(self._lines(key), start=1):
                try:
                    found = parse_records(line, classes=self.classes) if line.strip() else []
                except MalformedRecordError as error:
                    if hour < self.settings.end and self.settings.start < hour + HOUR:
                        self.malformed += 1
                        self.reasons = (*self.reasons, f"{key}, line {number}: {error}")[:MAX_REASONS]
                    continue
                inside = [each for each in found if self.settings.start <= each.time < self.settings.end]
                self.records += len(inside)
                yield from inside

    def _files(self) -> Iterator[tuple[datetime, str]]:
        """Yield the hour and key of each capture file in the window and in the adjacent hours.

        SageMaker writes a folder for each hour. A file contains the records of several minutes, and clocks differ, so
        the folders of the adjacent hours may also contain records of the window.
        """
        hour = self.settings.start.replace(minute=0, second=0, microsecond=0) - HOUR
        while hour <= self.settings.end + HOUR:
            prefix = f"{self.settings.captures_prefix}/{hour:%Y/%m/%d/%H}/"
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings.bucket, Prefix=prefix):
                yield from ((hour, each["Key"]) for each in page.get("Contents", ()))
            hour += HOUR

    def _lines(self, key: str) -> Iterator[bytes]:
        try:
            body = self.s3.get_object(Bucket=self.settings.bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":  # the bucket's lifecycle rule may have deleted the file
                raise
            return
        yield from body.iter_lines(CHUNK)


def main() -> None:
    """Run the drift job with the model in the current folder."""
    settings = Settings.read(os.environ)
    session = boto3.Session(region_name=settings.region)
    run(Path(), settings, s3=session.client("s3"), cloudwatch=session.client("cloudwatch"), sns=session.client("sns"))


def run(model: Path, settings: Settings, *, s3: Any, cloudwatch: Any, sns: Any) -> None:
    """Compare the window with the baseline, write the result to S3, and publish metrics and a notification.

    Parameters
    ----------
    model : folder of the unpacked model.tar.gz
    """
    classes = json.loads((model / "model.json").read_text())["classes"]
    captures = Captures(settings, len(classes), s3)
    examples: list[Example] = []
    try:
        baseline = read_baseline(model / "baseline.json", classes=len(classes))
    except BaselineError as error:
        result = conclusion("no_baseline", str(error))
    else:
        sample = WindowSample(open_session(model / "model.onnx"))
        for record in captures:
            sample.add(record)
        window = sample.sample(len(classes))
        result = compare_window(baseline, window, captures, sample.unreadable)
        if result["outcome"] == "drift" and len(sample.hashes) > NEIGHBOURS:
            chosen, hashes = unusual_images(baseline, window, MAX_EXAMPLES), sample.hashes
            distances = {hashes[number]: distance for number, distance in chosen}
            examples = find_examples(distances, Captures(settings, len(classes), s3))
    result |= {
        "classes": classes,
        "records": captures.records,
        "malformed": captures.malformed,
        "malformed_lines": list(captures.reasons),
        "examples": [describe_example(each) for each in examples],
    }
    print(result["reason"], flush=True)
    write_history(settings, result, s3=s3)
    publish_metrics(settings, result, cloudwatch=cloudwatch)
    for example in examples:
        write_review_entry(settings, example, result["reason"], s3=s3)
    if result["outcome"] == "drift":
        publish_message(settings, result, sns=sns)


def find_examples(distances: Mapping[bytes, float], captures: Captures) -> list[Example]:
    """Return a record for each image in `distances`, in the same order.

    The captured records are read a second time, because all images together may not fit into memory. Callers of the
    endpoint choose the IDs of their requests, so several images may have the same ID. Only the first of these images
    is returned, because the ID is part of the key of the review entry.

    Parameters
    ----------
    distances : distance of each unusual image to the baseline, by the image's hash
    captures : captured records of the window
    """
    found: dict[bytes, Example] = {}
    for record in captures:
        key = image_hash(record)
        if key in distances:
            found.setdefault(key, Example(record, distances[key]))
        if len(found) == len(distances):
            break
    by_id: dict[str, Example] = {}
    for key in distances:
        if key in found:
            by_id.setdefault(found[key].record.id, found[key])
    return list(by_id.values())


def conclusion(outcome: str, reason: str, **values: Any) -> dict[str, Any]:
    """Return a result: the outcome, a reason in one line, and `values`, which replace the empty default values."""
    empty = {
        "images": 0,
        "unreadable": 0,
        "baseline_images": 0,
        "groups": {},
        "changes": [],
        "histograms": {},
        "predicted": {},
    }
    return {"outcome": outcome, "reason": reason, "level": FAMILY_WISE_LEVEL, "points": {}, **empty, **values}


def compare_window(baseline: Sample, window: Sample, captures: Captures, unreadable: int) -> dict[str, Any]:
    """Compare the window with the baseline, and return the result.

    Parameters
    ----------
    unreadable : number of images in the window that cannot be decoded
    """
    counts = {"images": window.images, "unreadable": unreadable, "baseline_images": baseline.images}
    if not window.images:
        malformed = f", only {captures.malformed} malformed lines" if captures.malformed else ""
        return conclusion("no_captures", f"no captured records in the window{malformed}", **counts)
    if window.images < MIN_IMAGES or baseline.images < MIN_BASELINE_IMAGES:
        reason = (
            f"{window.images} different images in the window and {baseline.images} in the baseline: the test "
            f"needs at least {MIN_IMAGES} and {MIN_BASELINE_IMAGES}"
        )
        return conclusion("too_few_images", reason, **counts)
    changes = compare(baseline, window)
    drifted = [each for each in changes if each.has_drifted]
    reason = "; ".join(describe(each, baseline, window) for each in drifted) or "nothing has drifted"
    if len(window.embeddings) < MIN_IMAGES:
        reason += (
            f"; image statistics and embedding are not tested, because only {len(window.embeddings)} images can be read"
        )
    return conclusion(
        "drift" if drifted else "no_drift",
        f"{window.images} images against {baseline.images} of the baseline: {reason}",
        **counts,
        groups=drifted_groups(changes),
        changes=[asdict(each) for each in changes],
        predicted={"baseline": baseline.predicted.tolist(), "window": window.predicted.tolist()},
        histograms={
            name: asdict(histogram(baseline.statistics[name], values)) for name, values in window.statistics.items()
        },
        points=points(baseline, window),
    )


def points(baseline: Sample, window: Sample) -> dict[str, list[list[float]]]:
    """Return the first two components of at most MAX_POINTS embeddings of the baseline and of the window."""
    return {
        name: np.round(sample.embeddings[:MAX_POINTS, :2], 3).tolist()
        for name, sample in (("baseline", baseline), ("window", window))
    }


def describe(change: Change, baseline: Sample, window: Sample) -> str:
    """Return a text that says which property has drifted, and by how much."""
    p_value = f"p {change.adjusted:.2g}" if change.adjusted >= SMALLEST_P else f"p below {SMALLEST_P:g}"
    if change.stability_index is None:
        return f"{change.name} ({p_value})"
    amount = f"stability index {change.stability_index:.2f}, {p_value}"
    if change.name in window.statistics:
        before, after = (float(np.median(each.statistics[change.name])) for each in (baseline, window))
        return f"{change.name} (median {before:.3g} to {after:.3g}, {amount})"
    return f"{change.name} ({amount})"


def describe_example(example: Example) -> dict[str, Any]:
    """Return the ID, the time and the distance of an unusual image, as the result contains them."""
    record = example.record
    return {"id": record.id, "time": record.time.isoformat(), "distance": round(example.distance, 3)}


def write_history(settings: Settings, result: Mapping[str, Any], *, s3: Any) -> None:
    """Write the result of the job to S3 as a new object."""
    now = datetime.now(UTC)
    content = {
        "kind": "drift",
        "written": now.isoformat(),
        "environment": settings.environment,
        "model": settings.model,
        "window": {"start": settings.start.isoformat(), "end": settings.end.isoformat()},
        "figures": result,
    }
    name = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
    key = f"{settings.history_prefix}/drift/{now:%Y/%m/%d}/{name}"
    write_new(settings.bucket, key, json.dumps(content).encode(), s3=s3)


def write_new(bucket: str, key: str, body: bytes, *, s3: Any) -> None:
    """Write an S3 object, unless an object with this key already exists."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] not in CONDITION_FAILED:
            raise


def publish_metrics(settings: Settings, result: Mapping[str, Any], *, cloudwatch: Any) -> None:
    """Publish two CloudWatch metrics: the number of images in the window, and for each tested group whether it drifted.

    The value of a group's metric is 1 if the group has drifted, and 0 otherwise.
    """
    metrics: list[dict[str, Any]] = [{"MetricName": "DriftWindowImages", "Value": result["images"], "Unit": "Count"}]
    metrics += [
        {
            "MetricName": "Drift",
            "Dimensions": [{"Name": "Group", "Value": group}],
            "Value": float(result["groups"][group]),
        }
        for group in GROUPS
        if group in result["groups"]
    ]
    cloudwatch.put_metric_data(Namespace=settings.namespace, MetricData=metrics)


def write_review_entry(settings: Settings, example: Example, detail: str, *, s3: Any) -> None:
    """Write an unusual image and its review entry to S3, unless the image is already selected for review."""
    record = example.record
    key = f"{settings.review_prefix}/selected/{object_name(record.id)}"
    entry = {
        "id": record.id,
        "reasons": ["drift"],
        "inclusion_probability": None,  # unknown, because unusual images are not a random sample
        "model": settings.model,
        "time": record.time.isoformat(),
        "probabilities": list(record.probabilities),
        "detail": detail,
    }
    write_new(settings.bucket, key, record.image or b"", s3=s3)
    write_new(settings.bucket, f"{key}.json", json.dumps(entry).encode(), s3=s3)


def publish_message(settings: Settings, result: Mapping[str, Any], *, sns: Any) -> None:
    """Publish an SNS message that names the drifted groups and the S3 URIs of the most unusual images."""
    drifted = ", ".join(group.replace("_", " ") for group, has_drifted in result["groups"].items() if has_drifted)
    lines = [
        f"Environment {settings.environment}, model {settings.model}, {settings.start:%Y-%m-%d %H:%M} to "
        f"{settings.end:%Y-%m-%d %H:%M} UTC.",
        result["reason"],
        "The most unusual images:",
        *(
            f"s3://{settings.bucket}/{settings.review_prefix}/selected/{object_name(each['id'])}"
            for each in result["examples"]
        ),
        f"Look at them with `make review ENV={settings.environment}`, and at the distributions with "
        f"`make data-drift ENV={settings.environment}`. What to do: docs/operations.md, Drift.",
    ]
    subject = f"Drift in scones-{settings.environment}: {drifted}"[:SUBJECT_LENGTH]
    sns.publish(TopicArn=settings.topic_arn, Subject=subject, Message="\n".join(lines))
