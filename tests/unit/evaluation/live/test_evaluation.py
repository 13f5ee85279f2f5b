"""The evaluation of live traffic: captured records are joined with labels, and metrics and notes are computed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.capture_location import CaptureLocation
from evaluation.capture_table import Captures
from evaluation.live.evaluation import LiveData, evaluate_live, join_labels, recommend
from evaluation.live.labels import Label, LabelSet
from evaluation.live.live_summary import history_figures, summary, write_figures
from evaluation.live.previous_model import PreviousModel
from evaluation.live.results import Live
from tests.unit.evaluation.live.images import make_captures
from tests.unit.evaluation.runs import capture_line, make_png

LOCATION = CaptureLocation("s3://b/data_capture", "v2", "cars", "cars-2", is_complete=True)
CLASSES = ("bicycle", "motorcycle")
THRESHOLD = 0.93
NO_PREVIOUS = "no model was in use before v2"  # reason why there is no previous model


def make_label(
    record_id: str, name: str, probability: float | None = None, *, audit_rate: float | None = None
) -> Label:
    """Return a label from a review answer, with the image's inclusion probability and audit rate."""
    return Label(record_id, record_id, None, name, f"labels/answers/{record_id}.json", probability, audit_rate)


def make_data(captures: Captures, *labels: Label, threshold: float = THRESHOLD) -> LiveData:
    """Return captured data that is joined with labels."""
    found = LabelSet(labels=list(labels), answers=len(labels))
    return join_labels(captures, LOCATION, found, classes=CLASSES, threshold=threshold)


def evaluated(
    captures: Captures, *labels: Label, precision: float | None = None, previous: PreviousModel | str = NO_PREVIOUS
) -> Live:
    """Return the evaluation of captured data with labels, after a check that it can be written as JSON and printed."""
    live = evaluate_live(make_data(captures, *labels), precision=precision, previous=previous, environment="dev")
    json.dumps(live)
    list(summary(live, "local"))
    return live


# 10 images below the threshold, of which 6 are labelled and 3 of these correct, and 90 images above the threshold, of
# which 9 are labelled and 8 of these correct
TRAFFIC = [(f"low-{number}", 0, 0.7) for number in range(10)] + [(f"high-{number}", 1, 0.97) for number in range(90)]
LOW = [
    make_label(f"low-{number}", CLASSES[number % 2], 1.0, audit_rate=1.0 if number == 0 else None)
    for number in range(6)
]
HIGH = [make_label(f"high-{number}", CLASSES[number > 0], 0.1, audit_rate=1.0) for number in range(9)]


def test_metrics_of_all_traffic_are_weighted_and_metrics_of_the_labelled_images_are_not() -> None:
    # WHEN
    live = evaluated(make_captures(*TRAFFIC), *LOW, *HIGH)

    # THEN
    assert live["labelled"]
    assert live["traffic"]
    assert live["labelled"]["accuracy"]["value"] == pytest.approx(11 / 15)
    assert live["labelled"]["coverage"]["value"] == pytest.approx(9 / 15)
    figures = live["traffic"]["figures"]
    assert figures["accuracy"]["value"] == pytest.approx(0.1 * 3 / 6 + 0.9 * 8 / 9)
    assert figures["precision"]["value"] == pytest.approx(8 / 9)
    assert figures["coverage"] == {"value": 0.9, "interval": None, "n": 100}
    assert live["traffic"]["strata"] == [
        {"name": "below the threshold", "records": 10, "labelled": 6},
        {"name": "at or above the threshold", "records": 90, "labelled": 9},
    ]
    for estimate in (figures["accuracy"], figures["precision"]):
        low, high = estimate["interval"] or (1, 0)
        assert low < (estimate["value"] or 0) < high
    assert live["audit"] == {"value": 0.9, "interval": pytest.approx((0.596, 0.982), abs=1e-3), "n": 10}


def test_an_image_that_shows_no_class_is_a_mistake_and_has_a_separate_row_in_the_confusion_matrix() -> None:
    # WHEN
    live = evaluated(make_captures(("a", 0, 0.99), ("b", 1, 0.95), ("c", 1, 0.6)), *[
        make_label("a", "neither"), make_label("b", "bicycle"), make_label("c", "bicycle")
    ])  # fmt: skip

    # THEN
    assert live["labelled"]
    assert live["labelled"]["confusion"] == [[0, 2], [0, 0], [1, 0]]
    assert live["neither"] == 1
    assert live["mistake_count"] == 2
    assert [(image["id"], image["class"], image["label"]) for image in live["mistakes"]] == [
        ("a", "bicycle", "neither"),
        ("b", "motorcycle", "bicycle"),
    ]
    assert all(image["png"] for image in live["mistakes"])


def test_evaluation_without_labels_has_no_metrics_and_a_note() -> None:
    # WHEN
    live = evaluated(make_captures(("a", 0, 0.99)), precision=0.9)

    # THEN
    assert (live["labelled"], live["audit"], live["traffic"], live["recommendation"]) == (None, None, None, None)
    assert live["notes"] == ["no captured image is labelled: run `make select review ENV=dev`, or upload labels"]
    assert history_figures(live)["accuracy"] is None


def test_there_is_no_estimate_for_all_traffic_without_inclusion_probabilities() -> None:
    # WHEN
    live = evaluated(make_captures(*TRAFFIC), make_label("low-0", "bicycle"), make_label("high-0", "bicycle"))

    # THEN
    assert live["labelled"]
    assert live["traffic"] is None
    assert any("estimates for all traffic need reviewed images" in note for note in live["notes"])
    assert f"no comparison with an earlier model: {NO_PREVIOUS}" in live["notes"]


@pytest.mark.parametrize(
    ("first", "last", "count"), [(0, 79, 0), (0, 78, 21), (20, 99, 0), (21, 99, 21), (11, 89, 21), (10, 90, 0)]
)
def test_a_note_counts_the_images_that_are_older_or_newer_than_all_reviewed_images(
    first: int, last: int, count: int
) -> None:
    # GIVEN 100 captured images, of which the images with the numbers `first` and `last` are reviewed
    names = [f"{number}" for number in range(100)]
    captures = make_captures(*[(name, 0, 0.97) for name in names])

    # WHEN
    live = evaluated(captures, *[make_label(names[number], "bicycle", 0.5) for number in (first, last)])

    # THEN
    found = [note for note in live["notes"] if "older or newer than all reviewed ones" in note]
    assert [note.partition(" ")[0] for note in found] == ([str(count)] if count else [])


def test_a_note_says_that_all_labelled_images_have_the_same_predicted_class() -> None:
    live = evaluated(
        make_captures(("a", 0, 0.99), ("b", 0, 0.5)), make_label("a", "bicycle"), make_label("b", "bicycle")
    )
    assert "all labelled images were predicted as bicycle" in live["notes"]


def test_labels_that_cannot_be_used_are_counted_and_named() -> None:
    # GIVEN a label that can be used, a label of an image that is not captured, an unknown class, and an invalid line
    labels = LabelSet(labels=[make_label("a", "bicycle"), make_label("x", "bicycle")], files=1)
    labels.add(make_label("a", "car"), CLASSES)
    labels.reject("labels/a.csv, line 2", "no label")
    data = join_labels(make_captures(("a", 0, 0.9)), LOCATION, labels, classes=CLASSES, threshold=THRESHOLD)

    # WHEN
    live = evaluate_live(data, precision=None, previous=NO_PREVIOUS, environment="dev")
    lines = list(summary(live, "local"))

    # THEN
    expected = {"read": 2, "used": 1, "unmatched": 1, "unknown_classes": 1, "malformed": 1}
    assert expected.items() <= dict(live["labels"]).items()
    assert "labels of images that are not captured in this time range: 1" in lines
    assert "  labels/a.csv, line 2: no label" in lines


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_labels_give_wide_intervals(count: int) -> None:
    live = evaluated(make_captures(*TRAFFIC), *LOW[:count], *HIGH[:count], precision=0.9)
    assert live["traffic"]
    low, high = live["traffic"]["figures"]["accuracy"]["interval"] or (0, 0)
    assert high - low > 0.3


def test_the_previous_model_is_compared_on_the_same_images() -> None:
    # GIVEN a previous model that predicts class 0 for each image
    previous = PreviousModel("v1", lambda bodies: [0 for _ in bodies])

    # WHEN
    live = evaluated(make_captures(*TRAFFIC), *LOW, *HIGH, previous=previous)

    # THEN
    assert live["comparison"]
    assert live["comparison"]["labelled"]["gained"] == 8
    assert live["comparison"]["difference"]
    lines = list(summary(live, "local"))
    assert "compared with v1 on the same images (a small p means that v2 is worse):" in lines
    assert all(len(line) <= 80 for line in lines)


def test_the_threshold_for_a_precision_is_supported_only_by_enough_labels() -> None:
    # GIVEN 400 images, of which those with a confidence below 0.8 are often misclassified
    traffic = [(f"{number}", 0, 0.6 if number % 4 == 0 else 0.85) for number in range(400)]
    labels = [make_label(name, CLASSES[int(name) % 8 == 0], 1.0) for name, _, _ in traffic]

    # WHEN
    found = recommend(make_data(make_captures(*traffic), *labels), 0.98)
    few = recommend(make_data(make_captures(*traffic), *labels[:40]), 0.98)

    # THEN at least 150 labels are needed: with the rule of three, 3 / (1 - 0.98) correct images show this precision
    assert (found["threshold"], found["coverage"], found["needed"]) == (0.8, 0.75, 150)
    assert found["precision"]
    assert (found["precision"]["value"], found["precision"]["n"], found["is_supported"]) == (1.0, 300, True)
    assert found["threshold_interval"] == (0.8, 0.85)
    low, high = found["precision"]["interval"] or (0, 0)
    assert 0.95 < low < high  # although every captured image is labelled
    assert few["is_supported"] is False
    assert few["threshold_interval"]


def test_a_precision_that_no_threshold_reaches_has_no_threshold() -> None:
    live = evaluated(make_captures(("a", 0, 0.99), ("b", 1, 0.6)), make_label("a", "motorcycle"), precision=0.9)
    assert live["recommendation"]
    assert live["recommendation"]["threshold"] is None
    assert "no threshold reaches a precision of 0.9" in list(summary(live, "local"))


@pytest.mark.parametrize("mode", ["RGBA", "I;16", "P", "1"])
def test_mistakes_are_shown_for_any_image_mode_and_listed_if_the_image_is_invalid(mode: str, tmp_path: Path) -> None:
    # GIVEN a misclassified image of this mode, and a misclassified file that is not an image
    image = Image.new("L", (20, 20), 7).convert(mode) if mode != "RGBA" else Image.new(mode, (20, 20), (1, 2, 3, 0))
    image.save(tmp_path / "a.png", transparency=7 if mode == "P" else None)
    captures = Captures()
    line = capture_line((tmp_path / "a.png").read_bytes(), [0.99, 0.01], inference_id="a")
    captures.add("a.jsonl", line + b"\n" + capture_line(b"no image", [0.98, 0.02], inference_id="b"), classes=2)

    # WHEN
    live = evaluated(captures, make_label("a", "motorcycle"), make_label("b", "motorcycle"))

    # THEN
    shown, invalid = live["mistakes"]
    assert shown["png"]
    assert invalid["invalid"]


def test_duplicates_malformed_lines_and_clock_skew_are_reported() -> None:
    # GIVEN
    hour = datetime(2026, 3, 1, 12, tzinfo=UTC)
    lines = [
        capture_line(make_png(), [0.6, 0.4], time="2026-03-01T12:00:00Z", inference_id="a"),
        capture_line(make_png(), [0.4, 0.6], time="2026-03-01T12:00:05Z", inference_id="a"),
        capture_line(make_png(), [0.9, 0.1], time=f"{hour + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}", inference_id="b"),
        b"malformed",
    ]
    captures = Captures()
    captures.add("AllTraffic/2026/03/01/12/a.jsonl", b"\n".join(lines), classes=2)

    # WHEN
    live = evaluated(captures, make_label("a", "motorcycle"))

    # THEN only the latest record of the image is used
    assert live["labelled"]
    assert live["labelled"]["accuracy"]["value"] == 1
    assert (live["records"], live["duplicates"], live["malformed"], live["skewed"]) == (2, 1, 1, 1)


def test_figures_are_written_for_labelled_images(tmp_path: Path) -> None:
    # WHEN
    write_figures(evaluated(make_captures(*TRAFFIC), *LOW, *HIGH), tmp_path)

    # THEN
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["live_confusion.png", "live_coverage.png", "live_mistakes.png", "live_reliability.png"]


def test_no_figures_are_written_without_labels(tmp_path: Path) -> None:
    # GIVEN the figures of an earlier evaluation
    write_figures(evaluated(make_captures(*TRAFFIC), *LOW, *HIGH), tmp_path)

    # WHEN
    write_figures(evaluated(make_captures(("a", 0, 0.9))), tmp_path)

    # THEN the earlier figures are deleted
    assert list(tmp_path.iterdir()) == []


def test_the_history_contains_the_estimates_for_all_traffic_and_the_counts_of_labelled_images() -> None:
    # WHEN
    found = history_figures(evaluated(make_captures(*TRAFFIC), *LOW, *HIGH))

    # THEN
    assert (found["records"], found["labelled"], found["coverage"], found["mistakes"]) == (100, 15, 0.9, 1)
    assert found["accuracy"]["value"] == pytest.approx(0.85)
    # AND the counts from which accuracy, precision and recall of the labelled images can be computed again
    confusion = np.array(found["confusion"])
    assert confusion.trace() / confusion.sum() == pytest.approx(found["labelled_accuracy"]["value"])
    assert [stratum["labelled"] for stratum in found["strata"]] == [6, 9]
    json.dumps(found)
