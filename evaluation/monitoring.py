"""Summarise captured predictions, and find low-confidence images and confident mistakes."""

import base64
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

from PIL import Image

from common.files import replace_figures
from common.terminal import counted
from common.times import format_utc
from evaluation import figures
from evaluation.capture_location import CaptureLocation
from evaluation.capture_table import Captures, Prediction
from evaluation.labelled_images import LabelledImages
from training.container.classifier.images import ImageError, read_image

MAX_IMAGES_SHOWN = 24
MAX_POINTS = 2000  # maximum number of points in the plot
MAX_BUCKETS = 120
BUCKET_SECONDS = (60, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400)
THUMBNAIL_PIXELS = (128, 128)  # about the size at which the report shows an image
MAX_MALFORMED_PRINTED = 5
MAX_CLASSES_PRINTED = 5

CapturedImage = TypedDict(  # `class` is a keyword, so the class syntax cannot declare it
    "CapturedImage",
    {
        "id": str,
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


class Bucket(TypedDict):
    """Metrics of the records in one part of the time range, which begins at `start`."""

    start: str
    records: int
    below_threshold: int
    mean_confidence: float


class Monitoring(TypedDict):
    """The content of `monitoring.json`.

    Attributes
    ----------
    window : start and end of the time range in ISO 8601
    model : version of the model that made the predictions
    records : number of captured predictions; if several records have the same ID, only the latest is counted
    duplicates : number of earlier records that are not counted, because a later record has the same ID
    other_records : number of captured requests to other models, whose records are not included
    malformed_lines : file, line number and reason of each of the first lines that could not be read; `malformed` is the
        number of all such lines
    skewed : number of records whose time is more than an hour before or after the hour of their file
    low_confidence : the images below the threshold with the lowest confidence; `low_confidence_count` is the number of
        all images below the threshold
    confident_mistakes : the most confident misclassified test images at or above the threshold;
        `confident_mistake_count` is the number of all such images
    points : time, class number and confidence of all records, or of every n-th record if there are many
    bucket_seconds : length of the parts into which the time range is divided
    buckets : the parts of the time range that contain records
    """

    written: str
    window: dict[str, str]
    endpoint: str
    endpoint_config: str | None
    model: str
    threshold: float
    classes: list[str]
    records: int
    duplicates: int
    other_records: int
    files: int
    malformed: int
    malformed_lines: list[str]
    skewed: int
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
    bucket_seconds: int
    buckets: list[Bucket]


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
    captures : captured records, of which there must be at least one
    known : S3 key and class name of each test image, by MD5
    """
    records, totals, counts = len(captures), captures.totals(threshold), captures.class_counts()
    numbers = {name: number for number, name in enumerate(classes)}
    labels = {md5: numbers[label] for md5, (_, label) in known.items()}
    low_count, low = captures.low_confidence(threshold, MAX_IMAGES_SHOWN)
    mistake_count, mistakes = captures.confident_mistakes(labels, threshold, MAX_IMAGES_SHOWN)
    seconds = bucket_length(totals.last - totals.first)
    return {
        "written": datetime.now(UTC).isoformat(),
        "window": captures.window.to_json(),
        "endpoint": location.endpoint,
        "endpoint_config": location.endpoint_config,
        "model": location.model,
        "threshold": threshold,
        "classes": list(classes),
        "records": records,
        "duplicates": captures.duplicates,
        "other_records": other_records,
        "files": captures.files,
        "malformed": captures.malformed,
        "malformed_lines": [str(line) for line in captures.malformed_lines],
        "skewed": captures.skewed,
        "first": totals.first.isoformat(),
        "last": totals.last.isoformat(),
        "below_threshold": totals.below_threshold,
        "share_below_threshold": totals.below_threshold / records,
        "mean_confidence": totals.mean_confidence,
        "per_class": {name: counts.get(number, 0) for name, number in numbers.items()},
        "low_confidence_count": low_count,
        "low_confidence": describe_images(captures, low, classes, known),
        "confident_mistake_count": mistake_count,
        "confident_mistakes": describe_images(captures, mistakes, classes, known),
        "points": points(captures.sample(MAX_POINTS)),
        "bucket_seconds": seconds,
        "buckets": [
            {"start": start.isoformat(), "records": count, "below_threshold": below, "mean_confidence": mean}
            for start, count, below, mean in captures.buckets(seconds, threshold)
        ],
    }


def bucket_length(duration: timedelta) -> int:
    """Return the shortest bucket length in seconds that divides a duration into at most `MAX_BUCKETS` buckets."""
    fitting = (seconds for seconds in BUCKET_SECONDS if duration.total_seconds() < seconds * (MAX_BUCKETS - 1))
    return next(fitting, BUCKET_SECONDS[-1])


def describe_images(
    captures: Captures, predictions: Sequence[Prediction], classes: Sequence[str], known: Mapping[str, tuple[str, str]]
) -> list[CapturedImage]:
    """Return images for the report.

    Parameters
    ----------
    known : S3 key and label of each test image, by MD5
    """
    images = captures.images(predictions)
    return [
        describe_image(
            prediction, image, classes[prediction.class_number], *known.get(prediction.md5 or "", (None, None))
        )
        for prediction, image in zip(predictions, images, strict=True)
    ]


def describe_image(
    prediction: Prediction, image: bytes | None, predicted: str, key: str | None, label: str | None
) -> CapturedImage:
    """Return one image for the report.

    The image is decoded and encoded again, so that no captured bytes reach the report. In the result, `png` is the
    image in base64. If the bytes are not a valid image, `png` is None, and `invalid` is the reason.
    """
    png, invalid = None, None
    try:
        png = _thumbnail(image or b"")
    except ImageError as error:
        invalid = "the image is not captured" if image is None else str(error)
    return {
        "id": prediction.id,
        "event_id": prediction.event_id,
        "time": prediction.time.isoformat(),
        "class": predicted,
        "confidence": prediction.confidence,
        "s3_key": key,
        "label": label,
        "png": png,
        "invalid": invalid,
    }


def _thumbnail(data: bytes) -> str:
    image = read_image(data)
    image.thumbnail(THUMBNAIL_PIXELS)
    with io.BytesIO() as stream:
        image.save(stream, format="PNG", optimize=True)
        return base64.b64encode(stream.getvalue()).decode("ascii")


def points(predictions: Sequence[Prediction]) -> list[Point]:
    """Return time, class number and confidence of each prediction.

    Captured times have no fractions of a second, so predictions of the same second are spread evenly over this second.
    """
    in_second = Counter(prediction.time for prediction in predictions)
    seen: Counter[datetime] = Counter()
    found: list[Point] = []
    for prediction in predictions:
        moment = prediction.time + timedelta(seconds=seen[prediction.time] / in_second[prediction.time])
        seen[prediction.time] += 1
        found.append(
            {"time": moment.isoformat(), "class": prediction.class_number, "confidence": prediction.confidence}
        )
    return found


def write_figures(monitoring: Monitoring, directory: Path) -> None:
    """Write both figures as PNG."""
    drawn = {
        "confidence.png": figures.as_png(lambda theme: draw_confidence(theme, monitoring)),
        "low_confidence.png": figures.as_png(lambda theme: draw_low_confidence(theme, monitoring)),
    }
    replace_figures(directory, "monitor", drawn)


def draw_confidence(theme: figures.Theme, monitoring: Monitoring) -> Any:
    """Draw confidence over time."""
    return figures.confidence_over_time(
        theme,
        times=[datetime.fromisoformat(point["time"]) for point in monitoring["points"]],
        confidences=[point["confidence"] for point in monitoring["points"]],
        names=[monitoring["classes"][point["class"]] for point in monitoring["points"]],
        threshold=monitoring["threshold"],
        below=monitoring["below_threshold"],
        total=monitoring["records"],
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


def history_figures(monitoring: Monitoring) -> dict[str, Any]:
    """Return the metrics that are stored in the history of the environment."""
    names = (
        "records", "duplicates", "malformed", "threshold", "below_threshold", "share_below_threshold",
        "mean_confidence", "per_class",
    )  # fmt: skip
    return {name: monitoring[name] for name in names}  # type: ignore[literal-required]


def summary(monitoring: Monitoring) -> Iterable[str]:
    """Yield the lines that `make monitor` prints."""
    records, files = counted(monitoring["records"], "record"), counted(monitoring["files"], "file")
    yield f"model {monitoring['model']}: {records} in {files}"
    yield f"requests to other models, not shown: {monitoring['other_records']}"
    first, last = (format_utc(datetime.fromisoformat(monitoring[name])) for name in ("first", "last"))
    yield f"first record {first}, last {last} UTC"
    share = f"{monitoring['share_below_threshold']:.1%}"
    yield f"{monitoring['below_threshold']} ({share}) below the threshold of {monitoring['threshold']:g}"
    predicted = Counter(monitoring["per_class"]).most_common(MAX_CLASSES_PRINTED)
    yield f"predicted most often: {', '.join(f'{name} {count}' for name, count in predicted if count)}"
    yield f"mean confidence {monitoring['mean_confidence']:.3f}"
    yield from capture_problems(
        monitoring["duplicates"], monitoring["skewed"], monitoring["malformed"], monitoring["malformed_lines"]
    )


def capture_problems(duplicates: int, skewed: int, malformed: int, malformed_lines: Sequence[str]) -> Iterable[str]:
    """Yield a line for each kind of record that is left out or unusual."""
    if duplicates:
        yield f"earlier records of the same ID, not included: {duplicates}"
    if skewed:
        yield f"records more than an hour from the hour of their file (clock skew): {skewed}"
    if malformed:
        yield f"malformed lines, not included: {malformed}"
        yield from (f"  {line}" for line in malformed_lines[:MAX_MALFORMED_PRINTED])
