"""The output of `make live`: lines for the terminal, plots as PNG files, and metrics for the history."""

import base64
import io
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from common.files import replace_figures
from common.terminal import WIDTH, counted
from evaluation import figures
from evaluation.live.results import Comparison, Estimate, Figures, Labels, Live, Paired, Recommendation
from evaluation.metrics import percent
from evaluation.monitoring import capture_problems
from evaluation.review.answers import NEITHER
from registry.comparison import p_value_text

MAX_MESSAGES_PRINTED = 5
MAX_CLASSES_PRINTED = 10


def summary(live: Live, environment: str) -> Iterator[str]:
    """Yield the lines that `make live` prints."""
    labels = live["labels"]
    files, answers = counted(labels["files"], "file"), counted(labels["answers"], "answer")
    yield f"model {live['model']}: {counted(live['records'], 'captured image')}, of which {labels['used']} are labelled"
    yield f"{counted(labels['read'], 'label')} from {files} and {answers}"
    yield from _label_lines(labels)
    yield from capture_problems(live["duplicates"], live["skewed"], live["malformed"], live["malformed_lines"])
    if labelled := live["labelled"]:
        yield "labelled images (not a random sample of the traffic):"
        yield from _figure_lines(labelled, live["threshold"])
        yield from _class_table(labelled)
    if live["audit"]:
        yield _line("audit sample", live["audit"])
    if traffic := live["traffic"]:
        yield "all traffic, estimated from the reviewed images:"
        yield from _figure_lines(traffic["figures"], live["threshold"])
    if live["mistake_count"]:
        yield f"misclassified images at or above the threshold: {live['mistake_count']}"
    if live["comparison"]:
        yield from _comparison_lines(live["comparison"], live["model"])
    if live["recommendation"]:
        yield from _recommendation_lines(live["recommendation"], environment)
    for note in live["notes"]:
        yield from textwrap.wrap(note, WIDTH)


def label_problems(labels: Labels) -> dict[str, int]:
    """Return the number of labels that are left out for each reason, by a title that states the reason."""
    counts = {
        "labels of images that are not captured in this time range": labels["unmatched"],
        "labels of unknown classes, not included": labels["unknown_classes"],
        "images with contradicting labels, not included": labels["contradictions"],
        "labels or label files that cannot be read, not included": labels["malformed"],
    }
    return {title: count for title, count in counts.items() if count}


def _label_lines(labels: Labels) -> Iterator[str]:
    yield from (f"{title}: {count}" for title, count in label_problems(labels).items())
    for message in labels["messages"][:MAX_MESSAGES_PRINTED]:
        yield from textwrap.wrap(
            message,
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    if (more := len(labels["messages"]) - MAX_MESSAGES_PRINTED) > 0:
        yield f"  ({more} more messages are in live.json)"


def _figure_lines(found: Figures, threshold: float) -> Iterator[str]:
    yield _line("  accuracy", found["accuracy"])
    yield _line(f"  coverage at {threshold:g}", found["coverage"])
    yield _line("  accuracy above it", found["precision"])
    error = found["calibration"]["expected_calibration_error"]
    yield f"{'  calibration error':<20} {error:6.3f}"


def _line(title: str, estimate: Estimate) -> str:
    n = counted(estimate["n"], "image")
    if estimate["value"] is None:
        return f"{title:<20} none: no labelled image"
    if estimate["interval"] is None:
        return f"{title:<20} {estimate['value']:6.1%}  exact, {n}"
    low, high = estimate["interval"]
    return f"{title:<20} {estimate['value']:6.1%}  {low:.1%} to {high:.1%} (95 %), {n}"


def _class_table(found: Figures) -> Iterator[str]:
    yield f"  {'class':<28}{'images':>7}{'precision':>11}{'recall':>9}"
    for metrics in found["per_class"][:MAX_CLASSES_PRINTED]:
        precision, recall = (percent(metrics["precision"]), percent(metrics["recall"]))
        yield f"  {metrics['class'][:28]:<28}{metrics['images']:>7}{precision:>11}{recall:>9}"
    if (more := len(found["per_class"]) - MAX_CLASSES_PRINTED) > 0:
        yield f"  ({more} more classes are in live.json)"


def _comparison_lines(found: Comparison, model: str) -> Iterator[str]:
    previous = found["previous"]
    yield f"compared with {previous} on the same images (a small p means that {model} is worse):"
    yield _paired_line("  labelled images", found["labelled"], model, previous)
    if found["audit"]:
        yield _paired_line("  audit sample", found["audit"], model, previous)
    difference = found["difference"]
    if difference and difference["value"] is not None and difference["interval"]:
        low, high = difference["interval"]
        change = f"{100 * difference['value']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        yield f"  all traffic: accuracy {change} percentage points"
    if found["invalid"]:
        yield f"  labelled images that could not be compared: {found['invalid']}"


def _paired_line(title: str, found: Paired, model: str, previous: str) -> str:
    correct = f"{found['correct']} and {found['previous_correct']} of {found['n']} correct"
    only = f"only {model} {found['gained']}, only {previous} {found['lost']}"
    return f"{title}: {correct}; {only}, {p_value_text(found['p_value'])}"


def _recommendation_lines(found: Recommendation, environment: str) -> Iterator[str]:
    if found["threshold"] is None or found["precision"] is None or found["threshold_interval"] is None:
        yield f"no threshold reaches a precision of {found['target_precision']:g}"
        return
    low, high = found["threshold_interval"]
    interval = f"({low:.3f} to {high:.3f}, 95 %)"
    yield f"smallest threshold for a precision of {found['target_precision']:g}: {found['threshold']:g} {interval}"
    yield _line("  precision", found["precision"])
    yield f"{'  coverage':<20} {found['coverage'] or 0:6.1%}"
    if found["is_supported"]:
        yield f"  to use it: make threshold PRECISION={found['target_precision']:g} ENV={environment}"
    else:
        n, needed = found["precision"]["n"], found["needed"]
        yield f"  too few images at or above the threshold are labelled: {n} ({needed} are needed)"


def write_figures(live: Live, directory: Path) -> None:
    """Write the plots as PNG files; write none if no image is labelled. Delete older plots that are not written."""
    replace_figures(
        directory, "live", {f"live_{name}.png": figures.as_png(draw) for name, draw in _drawings(live).items()}
    )


def _drawings(live: Live) -> Mapping[str, Any]:
    labelled = live["labelled"]
    if labelled is None:
        return {}
    estimates = live["traffic"]["figures"] if live["traffic"] else labelled
    calibration = estimates["calibration"]
    counts = [[round(count) for count in row] for row in labelled["confusion"]]
    rows = [*live["classes"], NEITHER]
    drawings = {
        "confusion": lambda theme: figures.confusion(theme, matrix=counts, classes=live["classes"], rows=rows),
        "coverage": lambda theme: figures.coverage(theme, curve=estimates["curve"], threshold=live["threshold"]),
        "reliability": lambda theme: figures.reliability(
            theme, bins=calibration["bins"], error=calibration["expected_calibration_error"]
        ),
    }
    if live["mistakes"]:
        drawings["mistakes"] = lambda theme: _draw_mistakes(theme, live)
    return drawings


def _draw_mistakes(theme: figures.Theme, live: Live) -> Any:
    shown = live["mistakes"]
    return figures.contact_sheet(
        theme,
        images=[Image.open(io.BytesIO(base64.b64decode(image["png"]))) if image["png"] else None for image in shown],
        captions=[f"{image['class']} {image['confidence']:.2f}, is {image['label']}" for image in shown],
        title=f"Confident mistakes: {len(shown)} of {live['mistake_count']} shown, most confident first",
    )


def history_figures(live: Live) -> dict[str, Any]:
    """Return the metrics for the history: for all traffic, the audit sample and the labelled images, and counts."""
    traffic = live["traffic"]["figures"] if live["traffic"] else None
    return {
        "records": live["records"],
        "labelled": live["labels"]["used"],
        "threshold": live["threshold"],
        "accuracy": traffic["accuracy"] if traffic else None,
        "precision": traffic["precision"] if traffic else None,
        "coverage": traffic["coverage"]["value"] if traffic else None,
        "audit_accuracy": live["audit"],
        "labelled_accuracy": live["labelled"]["accuracy"] if live["labelled"] else None,
        "mistakes": live["mistake_count"],
        "classes": live["classes"],
        "confusion": live["labelled"]["confusion"] if live["labelled"] else None,
        "strata": live["traffic"]["strata"] if live["traffic"] else None,
    }
