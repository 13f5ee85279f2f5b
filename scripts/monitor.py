"""Read all that the endpoint captured, plot it against the threshold, and show the images in doubt."""

import base64
import hashlib
import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from PIL import Image
from tqdm import tqdm

from common.files import StepMissingError, write, write_json
from common.stack import Stack
from evaluation import figures
from evaluation.captures import Captures, ImageRefusedError, Record, open_image, read_endpoint
from evaluation.results import FILES, Run, make, read_run
from evaluation.staged import Staged, StagedMismatchError, read_staged
from registry.endpoint import describe_endpoint_config
from scripts.command import Environment, OperatorError, run_command
from staging import ManifestMissingError

LATE = timedelta(minutes=5)  # how long after a run its records may still come
PAUSES = (0.5, 10.0)  # seconds between two looks for new files: at first, at most
SHOWN = 24  # images
LARGEST_THUMBNAIL = (128, 128)  # about what the page shows of one, so that it need not reduce them itself
MALFORMED_NAMED = 5
CLASSES_NAMED = 5


class NothingCapturedError(OperatorError):
    """The endpoint has captured nothing that can be read."""


def main(environment: Environment) -> None:
    """Read the captures, draw both pictures, write `monitoring.json`, print a summary.

    Raises
    ------
    NothingCapturedError
        There is no record, and there should be some.
    """
    stack = environment.stack
    if not stack.data_capture_enabled:
        print(f"{stack.endpoint_name} captures nothing, as capture_percentage = 0 says: there is nothing to monitor")
        return
    s3 = boto3.client("s3", region_name=stack.region)
    captures = Captures()

    def read() -> None:
        read_endpoint(s3, stack.data_capture_uri, stack.endpoint_name, captures, classes=len(stack.classes))

    read()
    run = last_run(environment.directory)
    if run and captures_everything(boto3.client("sagemaker", region_name=stack.region), run["endpoint_config"]):
        wait_for(run, captures, read)
    if not captures.records():
        raise NothingCapturedError(
            f"nothing is captured below {stack.data_capture_uri}/{stack.endpoint_name}/{_malformed_note(captures)}: "
            f"run `{make('run', environment.directory)}`"
        )
    monitoring = monitor(captures, stack, known_images(s3, stack))
    draw(monitoring, environment.directory)
    path = environment.directory / FILES["monitor"]
    write_json(path, monitoring)
    print("\n".join(summary(monitoring, captures)))
    print(path)


def last_run(directory: Path) -> Run | None:
    """The last run, where there is one: live traffic is monitored without."""
    try:
        return read_run(directory)
    except StepMissingError:
        return None


def captures_everything(sagemaker: Any, endpoint_config: str) -> bool:
    """Whether the endpoint that answered the run captured all requests; of a sample, nobody knows the number."""
    # a run of a configuration that is no longer there needs no waiting for
    config = describe_endpoint_config(endpoint_config, sagemaker=sagemaker) or {}
    capture = config.get("DataCaptureConfig", {})
    return bool(capture.get("EnableCapture")) and capture.get("InitialSamplingPercentage") == 100


def wait_for(
    run: Run,
    captures: Captures,
    read: Callable[[], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Wait until every answer of the run is captured, or is not to be expected any more.

    Parameters
    ----------
    read
        Adds new files to `captures`.
    """
    # records have no fractions of a second
    started = datetime.fromisoformat(run["started"]).replace(microsecond=0)
    deadline = datetime.fromisoformat(run["finished"]) + LATE
    expected = sum(found["inferences"] is not None for found in run["executions"])

    def count() -> int:
        return min(expected, sum(record.time >= started for record in captures.records()))

    pause, longest = PAUSES
    with tqdm(total=expected, desc="captured", unit="record", ncols=80, disable=None, leave=False) as bar:
        bar.update(count())
        while count() < expected and now() < deadline:
            sleep(pause)
            pause = min(pause * 1.5, longest)
            read()
            bar.update(count() - bar.n)
    if count() < expected:
        minutes = LATE.total_seconds() / 60
        print(f"of the last run's {expected} answers, {count()} are captured {minutes:g} minutes after it: going on")


def known_images(s3: Any, stack: Stack) -> Mapping[str, tuple[str, str]]:
    """Key and class of the staged test images by their MD5; empty where none are staged."""
    try:
        staged: Staged = read_staged(s3, stack)
    except (ManifestMissingError, StagedMismatchError):
        # a picture of live traffic needs no labels
        return {}
    return {staged.md5s[key]: (key, staged.classes[number]) for key, number in staged.labels.items()}


def monitor(captures: Captures, stack: Stack, known: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """The content of `monitoring.json`.

    Parameters
    ----------
    known
        Key and label of an image by its MD5.
    """
    records = captures.records()
    confidences = [record.confidence for record in records]
    below = sum(confidence < stack.threshold for confidence in confidences)
    counts = Counter(stack.classes[record.class_number] for record in records)
    images = [describe(record, stack.classes, known) for record in distinct(records)]
    unsure = sorted((image for image in images if image["confidence"] < stack.threshold), key=_confidence)
    wrong = [image for image in images if image["label"] not in (None, image["class"])]
    sure = sorted((image for image in wrong if image["confidence"] >= stack.threshold), key=_confidence, reverse=True)
    return {
        "written": datetime.now(UTC).isoformat(),
        "endpoint": stack.endpoint_name,
        "endpoint_config": stack.endpoint_config_name,
        "threshold": stack.threshold,
        "classes": list(stack.classes),
        "records": len(records),
        "files": len(captures.files),
        "malformed": len(captures.malformed),
        "malformed_lines": [f"{each.file}, line {each.line}: {each.reason}" for each in captures.malformed[:100]],
        "first": records[0].time.isoformat(),
        "last": records[-1].time.isoformat(),
        "below_threshold": below,
        "share_below_threshold": below / len(records),
        "mean_confidence": sum(confidences) / len(records),
        "per_class": {name: counts[name] for name in stack.classes},
        "doubtful_images": len(unsure),
        "doubtful": [with_pixels(image) for image in unsure[:SHOWN]],
        "sure_and_wrong_images": len(sure),
        "sure_and_wrong": [with_pixels(image) for image in sure[:SHOWN]],
        "points": points(records),
    }


def distinct(records: Sequence[Record]) -> Iterable[Record]:
    """The last record of each image, in time's order: asked twice, an image is shown once."""
    last = {record.image if record.image is not None else record.event_id: record for record in records}
    return sorted(last.values(), key=lambda record: record.time)


def describe(record: Record, classes: Sequence[str], known: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """One image for the report: what it was called and, where it is a staged one, what it is."""
    md5 = hashlib.md5(record.image or b"", usedforsecurity=False).hexdigest()
    key, label = known.get(md5, (None, None))
    return {
        "event_id": record.event_id,
        "time": record.time.isoformat(),
        "class": classes[record.class_number],
        "confidence": record.confidence,
        "s3_key": key,
        "label": label,
        "image": record.image,
    }


def with_pixels(image: Mapping[str, Any]) -> dict[str, Any]:
    """The same with `png` in base64, encoded anew, in place of bytes from outside; None where they are no image."""
    content = {name: value for name, value in image.items() if name != "image"}
    try:
        pixels = open_image(image["image"] or b"")
    except ImageRefusedError as error:
        return {**content, "png": None, "refused": str(error)}
    pixels.thumbnail(LARGEST_THUMBNAIL)
    with io.BytesIO() as stream:
        pixels.save(stream, format="PNG", optimize=True)
        return {**content, "png": base64.b64encode(stream.getvalue()).decode("ascii")}


def points(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Time, class number and confidence of each record; those of one second are spread over it in their order."""
    in_second = Counter(record.time for record in records)
    seen: Counter[datetime] = Counter()
    found = []
    for record in records:
        moment = record.time + timedelta(seconds=seen[record.time] / in_second[record.time])
        seen[record.time] += 1
        found.append({"time": moment.isoformat(), "class": record.class_number, "confidence": record.confidence})
    return found


def draw(monitoring: Mapping[str, Any], directory: Path) -> None:
    """Both pictures as PNG."""
    pictures = {
        "confidence.png": lambda theme: draw_confidence(theme, monitoring),
        "doubtful.png": lambda theme: draw_doubtful(theme, monitoring),
    }
    for name, picture in pictures.items():
        write(directory / name, figures.as_png(picture))


def draw_confidence(theme: figures.Theme, monitoring: Mapping[str, Any]) -> Any:
    """Confidence over time."""
    found = monitoring["points"]
    return figures.confidence_over_time(
        theme,
        times=[datetime.fromisoformat(point["time"]) for point in found],
        confidences=[point["confidence"] for point in found],
        names=[monitoring["classes"][point["class"]] for point in found],
        threshold=monitoring["threshold"],
    )


def draw_doubtful(theme: figures.Theme, monitoring: Mapping[str, Any]) -> Any:
    """The images that the model is least sure of."""
    shown = monitoring["doubtful"]
    count = monitoring["doubtful_images"]
    return figures.contact_sheet(
        theme,
        images=[Image.open(io.BytesIO(base64.b64decode(image["png"]))) if image["png"] else None for image in shown],
        captions=[f"{image['class']} {image['confidence']:.2f}" for image in shown],
        title=f"{count} images in doubt, below {monitoring['threshold']:g}; the least sure {len(shown)}",
    )


def summary(monitoring: Mapping[str, Any], captures: Captures) -> Iterable[str]:
    """What a person wants to know first."""
    yield f"{monitoring['records']} records in {monitoring['files']} files"
    yield f"{monitoring['first']} to {monitoring['last']}"
    share = f"{monitoring['share_below_threshold']:.1%}"
    yield f"{monitoring['below_threshold']} ({share}) below the threshold of {monitoring['threshold']:g}"
    called = Counter(monitoring["per_class"]).most_common(CLASSES_NAMED)
    yield f"called most: {', '.join(f'{name} {count}' for name, count in called if count)}"
    yield f"mean confidence {monitoring['mean_confidence']:.3f}"
    if captures.malformed:
        yield f"lines that are no records, and are left out: {len(captures.malformed)}"
        yield from (f"  {line}" for line in monitoring["malformed_lines"][:MALFORMED_NAMED])


def _confidence(image: Mapping[str, Any]) -> float:
    return float(image["confidence"])


def _malformed_note(captures: Captures) -> str:
    return f" but {len(captures.malformed)} lines that are no records" if captures.malformed else ""


if __name__ == "__main__":
    run_command(main, __doc__)
