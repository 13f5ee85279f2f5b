"""Summarise captured predictions, and find low-confidence images and confident mistakes."""

import base64
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

from PIL import Image

from common.files import write
from common.terminal import counted
from evaluation import figures
from evaluation.capture_location import CaptureLocation
from evaluation.captures import Captures
from evaluation.labelled_images import LabelledImages
from staging.checksum import content_md5
from training.container.classifier.captured_records import Record
from training.container.classifier.images import ImageError, read_image

MAX_IMAGES_SHOWN = 24
THUMBNAIL_PIXELS = (128, 128)  # about the size at which the report shows an image
MAX_MALFORMED_STORED, MAX_MALFORMED_PRINTED = 100, 5
MAX_CLASSES_PRINTED = 5

CapturedImage = TypedDict(  # `class` is a keyword, so the class syntax cannot declare it
    "CapturedImage",
    {
        "event_id": str,
        "time": str,
        "class": str,
        "confidence": float,
        "s3_key": str | None,
        "label": str | None,
        "png": str | None,
        "invalid": str | None,
    },
)
Point = TypedDict("Point", {"time": str, "class": int, "confidence": float})


class Monitoring(TypedDict):
    """The content of `monitoring.json`.

    Attributes
    ----------
    model : version of the model that made the predictions
    other_records : number of captured records of other models, which are not included
    low_confidence : the images with the lowest confidence below the threshold; `low_confidence_count` counts all
    confident_mistakes : misclassified test images at or above the threshold; `confident_mistake_count` counts all
    points : time, class number and confidence of each record
    """

    written: str
    endpoint: str
    endpoint_config: str | None
    model: str
    threshold: float
    classes: list[str]
    records: int
    other_records: int
    files: int
    malformed: int
    malformed_lines: list[str]
    first: str
    last: str
    below_threshold: int
    share_below_threshold: float
    mean_confidence: float
    per_class: dict[str, int]
    low_confidence_count: int
    low_confidence: list[CapturedImage]
    confident_mistake_count: int
    confident_mistakes: list[CapturedImage]
    points: list[Point]


def labels_by_md5(images: LabelledImages) -> dict[str, tuple[str, str]]:
    """Return the key and class name of each test image by its MD5."""
    return {images.md5s[key]: (key, images.classes[number]) for key, number in images.labels.items()}


def monitor(
    captures: Captures,
    location: CaptureLocation,
    *,
    other_records: int,
    threshold: float,
    classes: Sequence[str],
    known: Mapping[str, tuple[str, str]],
) -> Monitoring:
    """Compute the content of `monitoring.json`.

    Parameters
    ----------
    known : key and class name of the test images by MD5
    """
    records = captures.records()
    confidences = [record.confidence for record in records]
    below = sum(confidence < threshold for confidence in confidences)
    counts = Counter(classes[record.class_number] for record in records)
    latest = latest_per_image(records)
    low = sorted((record for record in latest if record.confidence < threshold), key=lambda record: record.confidence)
    mistakes = sorted(
        (record for record in latest if record.confidence >= threshold and is_mistake(record, classes, known)),
        key=lambda record: -record.confidence,
    )
    return {
        "written": datetime.now(UTC).isoformat(),
        "endpoint": location.endpoint,
        "endpoint_config": location.endpoint_config,
        "model": location.model,
        "threshold": threshold,
        "classes": list(classes),
        "records": len(records),
        "other_records": other_records,
        "files": len(captures.files),
        "malformed": len(captures.malformed),
        "malformed_lines": [
            f"{each.file}, line {each.line}: {each.reason}" for each in captures.malformed[:MAX_MALFORMED_STORED]
        ],
        "first": records[0].time.isoformat(),
        "last": records[-1].time.isoformat(),
        "below_threshold": below,
        "share_below_threshold": below / len(records),
        "mean_confidence": sum(confidences) / len(records),
        "per_class": {name: counts[name] for name in classes},
        "low_confidence_count": len(low),
        "low_confidence": [describe_image(record, classes, known) for record in low[:MAX_IMAGES_SHOWN]],
        "confident_mistake_count": len(mistakes),
        "confident_mistakes": [describe_image(record, classes, known) for record in mistakes[:MAX_IMAGES_SHOWN]],
        "points": points(records),
    }


def latest_per_image(records: Sequence[Record]) -> list[Record]:
    """Return the last record of each image, in order of time."""
    last = {record.image if record.image is not None else record.id: record for record in records}
    return sorted(last.values(), key=lambda record: record.time)


def is_mistake(record: Record, classes: Sequence[str], known: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether the image is a test image of another class than the predicted one."""
    _, label = known.get(_md5(record), (None, None))
    return label not in (None, classes[record.class_number])


def describe_image(record: Record, classes: Sequence[str], known: Mapping[str, tuple[str, str]]) -> CapturedImage:
    """Return one image for the report, with its label if it is a test image.

    The image is decoded and encoded again, so that no captured bytes reach the report. `png` is base64; it is None
    if the bytes are not an image, and `invalid` then says why.
    """
    key, label = known.get(_md5(record), (None, None))
    png, invalid = None, None
    try:
        png = _thumbnail(record.image or b"")
    except ImageError as error:
        invalid = str(error)
    return {
        "event_id": record.event_id,
        "time": record.time.isoformat(),
        "class": classes[record.class_number],
        "confidence": record.confidence,
        "s3_key": key,
        "label": label,
        "png": png,
        "invalid": invalid,
    }


def _md5(record: Record) -> str:
    return content_md5(record.image or b"")


def _thumbnail(data: bytes) -> str:
    image = read_image(data)
    image.thumbnail(THUMBNAIL_PIXELS)
    with io.BytesIO() as stream:
        image.save(stream, format="PNG", optimize=True)
        return base64.b64encode(stream.getvalue()).decode("ascii")


def points(records: Sequence[Record]) -> list[Point]:
    """Return time, class number and confidence of each record.

    Captured times have no fractions of a second; records of the same second are spread evenly over it.
    """
    in_second = Counter(record.time for record in records)
    seen: Counter[datetime] = Counter()
    found: list[Point] = []
    for record in records:
        moment = record.time + timedelta(seconds=seen[record.time] / in_second[record.time])
        seen[record.time] += 1
        found.append({"time": moment.isoformat(), "class": record.class_number, "confidence": record.confidence})
    return found


def write_figures(monitoring: Monitoring, directory: Path) -> None:
    """Write both figures as PNG."""
    write(directory / "confidence.png", figures.as_png(lambda theme: draw_confidence(theme, monitoring)))
    write(directory / "low_confidence.png", figures.as_png(lambda theme: draw_low_confidence(theme, monitoring)))


def draw_confidence(theme: figures.Theme, monitoring: Monitoring) -> Any:
    """Draw confidence over time."""
    return figures.confidence_over_time(
        theme,
        times=[datetime.fromisoformat(point["time"]) for point in monitoring["points"]],
        confidences=[point["confidence"] for point in monitoring["points"]],
        names=[monitoring["classes"][point["class"]] for point in monitoring["points"]],
        threshold=monitoring["threshold"],
    )


def draw_low_confidence(theme: figures.Theme, monitoring: Monitoring) -> Any:
    """Draw the images with the lowest confidence."""
    shown = monitoring["low_confidence"]
    total, threshold = monitoring["low_confidence_count"], monitoring["threshold"]
    return figures.contact_sheet(
        theme,
        images=[Image.open(io.BytesIO(base64.b64decode(image["png"]))) if image["png"] else None for image in shown],
        captions=[f"{image['class']} {image['confidence']:.2f}" for image in shown],
        title=f"Low-confidence images (below {threshold:g}): {len(shown)} of {total} shown, lowest first",
    )


def summary(monitoring: Monitoring) -> Iterable[str]:
    """Yield the lines that `make monitor` prints."""
    records, files = counted(monitoring["records"], "record"), counted(monitoring["files"], "file")
    yield f"model {monitoring['model']}: {records} in {files}"
    yield f"records of other models, not shown: {monitoring['other_records']}"
    yield f"{monitoring['first']} to {monitoring['last']}"
    share = f"{monitoring['share_below_threshold']:.1%}"
    yield f"{monitoring['below_threshold']} ({share}) below the threshold of {monitoring['threshold']:g}"
    predicted = Counter(monitoring["per_class"]).most_common(MAX_CLASSES_PRINTED)
    yield f"predicted most often: {', '.join(f'{name} {count}' for name, count in predicted if count)}"
    yield f"mean confidence {monitoring['mean_confidence']:.3f}"
    if monitoring["malformed"]:
        yield f"malformed lines, not included: {monitoring['malformed']}"
        yield from (f"  {line}" for line in monitoring["malformed_lines"][:MAX_MALFORMED_PRINTED])
