"""Factories of predictions, labelled images and captured data."""

from datetime import UTC, datetime, timedelta

from evaluation.capture_files import Line
from evaluation.capture_table import Captures, Prediction
from evaluation.live.join import LabelledImage
from tests.unit.evaluation.runs import capture_line, make_png

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_prediction(record_id: str, number: int = 0, confidence: float = 0.9) -> Prediction:
    """Return a captured prediction; `number` is the number of the predicted class."""
    return Prediction(record_id, record_id, START, number, confidence, None, Line("a.jsonl", 1, 0, 1, None), 0)


def make_image(
    number: int, confidence: float, label: int, *, probability: float | None = None, audit_rate: float | None = None
) -> LabelledImage:
    """Return a labelled image.

    Parameters
    ----------
    number : number of the predicted class
    label : number of the true class
    probability : inclusion probability, or None if it is not known
    audit_rate : audit rate, or None if the image is not in an audit sample
    """
    return LabelledImage(make_prediction("id", number, confidence), label, probability, audit_rate)


def make_captures(*images: tuple[str, int, float]) -> Captures:
    """Return captured data of a model with two classes.

    Parameters
    ----------
    images : inference ID, number of the predicted class, and confidence of each image
    """
    lines = [
        capture_line(
            make_png(position, size=(8, 8)),
            [confidence, 1 - confidence] if number == 0 else [1 - confidence, confidence],
            time=f"{START + timedelta(seconds=position):%Y-%m-%dT%H:%M:%SZ}",
            inference_id=image_id,
        )
        for position, (image_id, number, confidence) in enumerate(images)
    ]
    captures = Captures()
    captures.add("a.jsonl", b"\n".join(lines), classes=2)
    return captures
