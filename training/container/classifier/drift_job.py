"""The drift job: compare the images captured in the last hours with the baseline of the model in use.

The job runs in the inference container, in the folder of the unpacked model.tar.gz. It writes its result below
`history/` and publishes metrics. If a property of the images has drifted, the job also stores the most unusual images
for review and publishes to the SNS topic. Invalid captures do not make the job fail; an unexpected AWS error does.

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
    histogram,
    moved_groups,
    unusual_images,
)
from .onnx_session import open_session
from .window_sample import WindowSample, image_hash

HOUR = timedelta(hours=1)
CHUNK = 2**16  # bytes that are read at once
MAX_EXAMPLES = 10
MAX_REASONS = 5  # malformed lines whose reasons the result lists
SMALLEST_P = 1e-9  # smaller p-values are rounded to 0
MAX_POINTS = 300  # embeddings whose first two components the result lists
SUBJECT_LENGTH = 100  # maximum length of an SNS subject: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
CONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict")  # S3 errors of a conditional write


@dataclass(frozen=True)
class Settings:
    """The job's environment variables, in lower case.

    Attributes
    ----------
    captures_prefix : S3 key prefix of the model's captures: the folder of the production variant
    model : model version, such as `v3`
    window_end : scheduled time of the job
    capture_delay_minutes : time that SageMaker needs to write a record to S3. The window ends this long before
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
        """Return the settings in a process's environment variables."""
        numbers = ("window_hours", "capture_delay_minutes")
        values: dict[str, Any] = {name: variables[name.upper()] for name in cls.__dataclass_fields__}
        values |= {name: int(values[name]) for name in numbers}
        return cls(**{**values, "window_end": datetime.fromisoformat(values["window_end"]).astimezone(UTC)})

    @property
    def end(self) -> datetime:
        """End of the window: records that are not yet captured belong to the next window."""
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
    """The records of the window in S3, and counts of the lines that were read."""

    settings: Settings
    classes: int
    s3: Any
    records: int = 0
    malformed: int = 0
    reasons: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Record]:
        """Yield the records of the window, reading each file as a stream.

        A line that is not a record has no time; it is counted as malformed if the hour of its file overlaps the window.
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

        Each hour has a folder. A file contains the records of several minutes, and clocks differ. The folders
        of the adjacent hours may therefore contain records of the window.
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
            if error.response["Error"]["Code"] != "NoSuchKey":  # the bucket's lifecycle deletes old files at any time
                raise
            return
        yield from body.iter_lines(CHUNK)


def main() -> None:
    """Run the job on the model in the current folder."""
    settings = Settings.read(os.environ)
    session = boto3.Session(region_name=settings.region)
    run(Path(), settings, s3=session.client("s3"), cloudwatch=session.client("cloudwatch"), sns=session.client("sns"))


def run(model: Path, settings: Settings, *, s3: Any, cloudwatch: Any, sns: Any) -> None:
    """Compare the window with the baseline, write the result to S3, and publish metrics and notifications.

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
        figures = conclusion("no_baseline", str(error))
    else:
        sample = WindowSample(open_session(model / "model.onnx"))
        for record in captures:
            sample.add(record)
        window = sample.sample(len(classes))
        figures = compare_window(baseline, window, captures, sample.unreadable)
        if figures["outcome"] == "drift" and len(sample.hashes) > NEIGHBOURS:
            chosen, hashes = unusual_images(baseline, window, MAX_EXAMPLES), sample.hashes
            distances = {hashes[number]: distance for number, distance in chosen}
            examples = find_examples(distances, Captures(settings, len(classes), s3))
    figures |= {
        "classes": classes,
        "records": captures.records,
        "malformed": captures.malformed,
        "malformed_lines": list(captures.reasons),
        "examples": [describe_example(each) for each in examples],
    }
    print(figures["reason"], flush=True)
    write_history(settings, figures, s3=s3)
    publish_metrics(settings, figures, cloudwatch=cloudwatch)
    for example in examples:
        write_review_entry(settings, example, figures["reason"], s3=s3)
    if figures["outcome"] == "drift":
        publish_message(settings, figures, sns=sns)


def find_examples(distances: Mapping[bytes, float], captures: Captures) -> list[Example]:
    """Return a record for each image, in the order of `distances`. Reading the captures again saves memory.

    Callers of the endpoint choose the IDs of their requests, so several images may have the same ID. Only the first
    of these images is returned, because the ID is part of the key of the review entry.

    Parameters
    ----------
    distances : distance of each image to the baseline, by the image's hash
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


def conclusion(outcome: str, reason: str, **figures: Any) -> dict[str, Any]:
    """Return a result's contents: the outcome, a one-line reason, and `figures`, which replace empty defaults."""
    empty = {
        "images": 0,
        "unreadable": 0,
        "baseline_images": 0,
        "groups": {},
        "changes": [],
        "histograms": {},
        "predicted": {},
    }
    return {"outcome": outcome, "reason": reason, "level": FAMILY_WISE_LEVEL, "points": {}, **empty, **figures}


def compare_window(baseline: Sample, window: Sample, captures: Captures, unreadable: int) -> dict[str, Any]:
    """Compare a window with the baseline and return the contents of the result."""
    counts = {"images": window.images, "unreadable": unreadable, "baseline_images": baseline.images}
    if not window.images:
        broken = f", only {captures.malformed} malformed lines" if captures.malformed else ""
        return conclusion("no_captures", f"no captured records in the window{broken}", **counts)
    if window.images < MIN_IMAGES or baseline.images < MIN_BASELINE_IMAGES:
        reason = (
            f"{window.images} different images in the window and {baseline.images} in the baseline: no decision with "
            f"fewer than {MIN_IMAGES} and {MIN_BASELINE_IMAGES}"
        )
        return conclusion("too_few_images", reason, **counts)
    changes = compare(baseline, window)
    moved = [each for each in changes if each.moved]
    reason = "; ".join(describe(each, baseline, window) for each in moved) or "nothing has drifted"
    if len(window.embeddings) < MIN_IMAGES:
        reason += (
            f"; image statistics and embedding are not tested, because only {len(window.embeddings)} images can be read"
        )
    return conclusion(
        "drift" if moved else "no_drift",
        f"{window.images} images against {baseline.images} of the baseline: {reason}",
        **counts,
        groups=moved_groups(changes),
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
    """Describe which property changed, and by how much."""
    p_value = f"p {change.adjusted:.2g}" if change.adjusted >= SMALLEST_P else f"p below {SMALLEST_P:g}"
    if change.stability_index is None:
        return f"{change.name} ({p_value})"
    amount = f"stability index {change.stability_index:.2f}, {p_value}"
    if change.name in window.statistics:
        before, after = (float(np.median(each.statistics[change.name])) for each in (baseline, window))
        return f"{change.name} (median {before:.3g} to {after:.3g}, {amount})"
    return f"{change.name} ({amount})"


def describe_example(example: Example) -> dict[str, Any]:
    """Return the ID, time and distance of an unusual image for the result."""
    record = example.record
    return {"id": record.id, "time": record.time.isoformat(), "distance": round(example.distance, 3)}


def write_history(settings: Settings, figures: Mapping[str, Any], *, s3: Any) -> None:
    """Write the result as a new object."""
    now = datetime.now(UTC)
    content = {
        "kind": "drift",
        "written": now.isoformat(),
        "environment": settings.environment,
        "model": settings.model,
        "window": {"start": settings.start.isoformat(), "end": settings.end.isoformat()},
        "figures": figures,
    }
    name = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
    key = f"{settings.history_prefix}/drift/{now:%Y/%m/%d}/{name}"
    write_new(settings.bucket, key, json.dumps(content).encode(), s3=s3)


def write_new(bucket: str, key: str, body: bytes, *, s3: Any) -> None:
    """Write an object unless it exists."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] not in CONDITION_FAILED:
            raise


def publish_metrics(settings: Settings, figures: Mapping[str, Any], *, cloudwatch: Any) -> None:
    """Publish the number of images, and for each tested group 1 if the group has drifted, or 0 if not."""
    metrics: list[dict[str, Any]] = [{"MetricName": "DriftWindowImages", "Value": figures["images"], "Unit": "Count"}]
    metrics += [
        {
            "MetricName": "Drift",
            "Dimensions": [{"Name": "Group", "Value": group}],
            "Value": float(figures["groups"][group]),
        }
        for group in GROUPS
        if group in figures["groups"]
    ]
    cloudwatch.put_metric_data(Namespace=settings.namespace, MetricData=metrics)


def write_review_entry(settings: Settings, example: Example, detail: str, *, s3: Any) -> None:
    """Write an unusual image and its review entry, unless the image is already selected."""
    record = example.record
    key = f"{settings.review_prefix}/selected/{object_name(record.id)}"
    entry = {
        "id": record.id,
        "reasons": ["drift"],
        "inclusion_probability": None,  # not a random sample
        "model": settings.model,
        "time": record.time.isoformat(),
        "probabilities": list(record.probabilities),
        "detail": detail,
    }
    write_new(settings.bucket, key, record.image or b"", s3=s3)
    write_new(settings.bucket, f"{key}.json", json.dumps(entry).encode(), s3=s3)


def publish_message(settings: Settings, figures: Mapping[str, Any], *, sns: Any) -> None:
    """Publish which groups have drifted, with the most unusual images as examples."""
    moved = ", ".join(group.replace("_", " ") for group, has_drifted in figures["groups"].items() if has_drifted)
    lines = [
        f"Environment {settings.environment}, model {settings.model}, {settings.start:%Y-%m-%d %H:%M} to "
        f"{settings.end:%Y-%m-%d %H:%M} UTC.",
        figures["reason"],
        "The most unusual images:",
        *(
            f"s3://{settings.bucket}/{settings.review_prefix}/selected/{object_name(each['id'])}"
            for each in figures["examples"]
        ),
        f"Look at them with `make review ENV={settings.environment}`, and at the distributions with "
        f"`make data-drift ENV={settings.environment}`. What to do: docs/operations.md, Drift.",
    ]
    subject = f"Drift in scones-{settings.environment}: {moved}"[:SUBJECT_LENGTH]
    sns.publish(TopicArn=settings.topic_arn, Subject=subject, Message="\n".join(lines))
