"""Factories of labelled images and of captures."""

from datetime import UTC, datetime, timedelta

from evaluation.capture_files import Line
from evaluation.capture_table import Captures, Prediction
from evaluation.live.join import LabelledImage
from tests.unit.evaluation.runs import capture_line, make_png

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_prediction(record_id: str, number: int = 0, confidence: float = 0.9) -> Prediction:
    return Prediction(record_id, record_id, START, number, confidence, None, Line("a.jsonl", 1, 0, 1, None), 0)


def make_image(
    number: int, confidence: float, label: int, *, probability: float | None = None, audit_rate: float | None = None
) -> LabelledImage:
    return LabelledImage(make_prediction("id", number, confidence), label, probability, audit_rate)


def make_captures(*images: tuple[str, int, float]) -> Captures:
    """Return captures of two classes: ID, number of the predicted class and confidence of each image."""
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
