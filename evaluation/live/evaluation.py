"""Evaluate the predictions of a time range with labels that were added later."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from evaluation.capture_location import CaptureLocation
from evaluation.capture_table import Captures
from evaluation.live.comparison import compare
from evaluation.live.join import Joined, LabelledImage, join
from evaluation.live.labels import LabelSet
from evaluation.live.live_figures import Arrays, compute_figures, to_arrays
from evaluation.live.previous_model import PreviousModel
from evaluation.live.results import (
    Estimate,
    Figures,
    Labels,
    Live,
    Recommendation,
    Reviewed,
    Traffic,
    is_mostly_covered,
)
from evaluation.live.sampling import METHOD, Sample, audit_sample, sample_of, simple_sample_of, smallest_threshold
from evaluation.metrics import Proportion, coverage_curve
from evaluation.monitoring import MAX_IMAGES_SHOWN, CapturedImage, describe_image
from evaluation.review.answers import NEITHER

FUTURE = 1e9  # assumed number of future images for each captured image
RESOLUTION = timedelta(seconds=1)  # resolution of captured times
STRATA = ("below the threshold", "at or above the threshold")
NO_LABELS = "no captured image is labelled: run `make select review ENV={environment}`, or upload labels"
NO_SAMPLE = (
    "estimates for all traffic need reviewed images below the threshold, and some at or above it that were selected at "
    "random: run `make select review ENV={environment}`"
)
SIMPLE_SAMPLE = "the recommended threshold holds for the labelled images, which are not a random sample of the traffic"
NOT_COVERED = (
    "{count} of the {total} captured images are older or newer than all reviewed ones. The estimates for all traffic "
    "assume that these images are like the reviewed ones: run `make select review ENV={environment}` with the same "
    "time range"
)


@dataclass(frozen=True)
class LiveData:
    """The captures of a time range with their labels.

    Attributes
    ----------
    location : location of the captures, which contains the model version
    labels : all labels of the environment
    joined : captured images with their labels
    """

    captures: Captures
    location: CaptureLocation
    labels: LabelSet
    joined: Joined
    classes: Sequence[str]
    threshold: float


def join_labels(
    captures: Captures, location: CaptureLocation, labels: LabelSet, *, classes: Sequence[str], threshold: float
) -> LiveData:
    """Join labels to the captures of a time range."""
    joined = join(captures.predictions(), labels.labels, classes)
    return LiveData(captures, location, labels, joined, classes, threshold)


def evaluate_live(data: LiveData, *, precision: float | None, previous: PreviousModel | str, environment: str) -> Live:
    """Compute the content of `live.json`.

    Parameters
    ----------
    precision : target precision, for which the smallest threshold is recommended; None for no recommendation
    previous : the model that was in use before, or the reason why there is no comparison with this model
    environment : name of the environment, for the advice in the notes
    """
    images, captures, threshold = data.joined.images, data.captures, data.threshold
    sample = sample_of(images, captures, threshold)
    arrays = to_arrays(images)
    mistake_count, mistakes = confident_mistakes(data)
    reviewed = reviewed_period(data)
    return {
        "written": datetime.now(UTC).isoformat(),
        "window": captures.window.to_json(),
        "endpoint": data.location.endpoint,
        "model": data.location.model,
        "threshold": threshold,
        "classes": list(data.classes),
        "records": len(captures),
        "duplicates": captures.duplicates,
        "malformed": captures.malformed,
        "malformed_lines": [str(line) for line in captures.malformed_lines],
        "skewed": captures.skewed,
        "labels": count_labels(data),
        "neither": sum(image.label == len(data.classes) for image in images),
        "labelled": compute_figures(arrays, np.ones(len(images)), data.classes, threshold) if images else None,
        "audit": audit_estimate(images),
        "traffic": estimate_traffic(data, sample) if sample else None,
        "reviewed": reviewed,
        "mistake_count": mistake_count,
        "mistakes": mistakes,
        "comparison": (
            compare(previous, images, captures, threshold) if images and isinstance(previous, PreviousModel) else None
        ),
        "recommendation": recommend(data, precision) if images and precision is not None else None,
        "notes": list(notes(data, sample, reviewed, precision, previous, environment)),
    }


def notes(
    data: LiveData,
    sample: Sample | None,
    reviewed: Reviewed | None,
    precision: float | None,
    previous: PreviousModel | str,
    environment: str,
) -> Iterator[str]:
    """Yield a sentence for each limitation of the results."""
    if not data.joined.images:
        yield NO_LABELS.format(environment=environment)
        return
    if sample is None:
        yield NO_SAMPLE.format(environment=environment)
        if precision is not None:
            yield SIMPLE_SAMPLE
    elif reviewed and not is_mostly_covered(reviewed, len(data.captures)):
        yield NOT_COVERED.format(count=reviewed["not_covered"], total=len(data.captures), environment=environment)
    predicted = {image.prediction.class_number for image in data.joined.images}
    if len(predicted) == 1:
        yield f"all labelled images were predicted as {data.classes[predicted.pop()]}"
    if isinstance(previous, str):
        yield f"no comparison with an earlier model: {previous}"


def reviewed_period(data: LiveData) -> Reviewed | None:
    """Return the period of the labelled images that were selected for review; None if there are no such images."""
    times = [image.prediction.time for image in data.joined.images if image.inclusion_probability is not None]
    if not times:
        return None
    first, last = min(times), max(times)
    older = len(data.captures) - data.captures.count_since(first)
    newer = data.captures.count_since(last + RESOLUTION)
    return {"start": first.isoformat(), "end": last.isoformat(), "not_covered": older + newer}


def count_labels(data: LiveData) -> Labels:
    """Return the numbers of labels that are used, and that are left out for each reason."""
    labels, joined = data.labels, data.joined
    return {
        "files": labels.files,
        "answers": labels.answers,
        "read": len(labels.labels),
        "used": len(joined.images),
        "unmatched": joined.unmatched,
        "unknown_classes": labels.unknown_classes,
        "contradictions": joined.contradictions,
        "malformed": labels.malformed,
        "messages": [*labels.messages["malformed"], *labels.messages["unknown"], *joined.messages],
    }


def audit_estimate(images: Sequence[LabelledImage]) -> Estimate | None:
    """Return the accuracy on the audit sample, a simple random sample; None if none of its images is labelled."""
    correct = np.array([image.prediction.class_number == image.label for image in images], dtype=np.bool_)
    chosen = audit_sample(images)
    if not chosen.any():
        return None
    proportion = Proportion(int(correct[chosen].sum()), int(chosen.sum()))
    return {"value": proportion.value, "interval": proportion.interval, "n": proportion.n}


def estimate_traffic(data: LiveData, sample: Sample) -> Traffic:
    """Estimate the metrics of all captured images."""
    selected = to_arrays([image for image in data.joined.images if image.inclusion_probability is not None])
    figures = compute_figures(selected, sample.weights, data.classes, data.threshold)
    set_intervals(figures, sample, selected, data.classes, data.threshold)
    # the coverage is not an estimate, because the confidence of all captured images is known
    above, records = data.captures.count_at_least(data.threshold), len(data.captures)
    figures["coverage"] = {"value": above / records, "interval": None, "n": records}
    strata = zip(STRATA, sample.totals, np.bincount(sample.stratum, minlength=2), strict=True)
    return {
        "figures": figures,
        "strata": [{"name": name, "records": int(total), "labelled": int(count)} for name, total, count in strata],
        "method": METHOD,
    }


def set_intervals(figures: Figures, sample: Sample, images: Arrays, classes: Sequence[str], threshold: float) -> None:
    """Set the 95 % intervals of accuracy, precision at the threshold, and each class's precision and recall.

    All intervals come from the same bootstrap replicates, because drawing these takes most of the time.

    Parameters
    ----------
    figures : metrics of `images`, whose intervals are replaced
    images : the images of the sample
    """
    numbers = np.arange(len(classes))[:, np.newaxis]
    overall = np.array([np.ones(len(images.label), dtype=np.bool_), images.confidence >= threshold])
    domains = np.concatenate([overall, images.predicted == numbers, images.label == numbers])
    strata = np.ones((len(domains), len(sample.totals)), dtype=np.bool_)
    strata[: len(overall)] = [sample.strata_of(members) for members in overall]
    is_known = np.array([members.any() for members in domains])
    correct = images.correct.astype(float)
    known = iter(sample.mean_intervals(correct, (1.0, 0.0), domains[is_known], strata[is_known]))
    accuracy, precision, *by_class = (next(known) if each else None for each in is_known)
    figures["accuracy"]["interval"], figures["precision"]["interval"] = accuracy, precision
    precisions = dict(zip(classes, by_class[: len(classes)], strict=True))
    recalls = dict(zip(classes, by_class[len(classes) :], strict=True))
    for each in figures["per_class"]:
        each["precision_interval"], each["recall_interval"] = precisions[each["class"]], recalls[each["class"]]


def recommend(data: LiveData, precision: float) -> Recommendation:
    """Return the smallest threshold that reaches a precision for all traffic.

    If there is no sample of all traffic, the threshold reaches the precision for the labelled images. Even if all of n
    images are classified correctly, they show with 95 % confidence only a precision of at least 1 - 3 / n: Hanley and
    Lippman-Hand, "If nothing goes wrong, is everything all right?", 1983.

    Parameters
    ----------
    precision : target precision, above 0 and below 1
    """
    images, captures = data.joined.images, data.captures
    captured = sample_of(images, captures, data.threshold) or simple_sample_of(images, captures)
    # the threshold is for future images, so intervals must not shrink if all images of the time range are labelled
    sample = replace(captured, totals=captured.totals * FUTURE)
    needed = math.ceil(round(3 / (1 - precision), 6))
    threshold = smallest_threshold(coverage_curve(sample.confidence, sample.correct, sample.weights), precision)
    if threshold is None:
        return {
            "target_precision": precision,
            "threshold": None,
            "threshold_interval": None,
            "precision": None,
            "coverage": None,
            "needed": needed,
            "is_supported": False,
        }
    is_above = sample.confidence >= threshold
    reached: Estimate = {
        "value": float(np.average(sample.correct[is_above], weights=sample.weights[is_above])),
        "interval": sample.mean_interval(sample.correct.astype(float), (1.0, 0.0), is_above),
        "n": int(is_above.sum()),
    }
    low, high = sample.threshold_interval(precision)
    return {
        "target_precision": precision,
        "threshold": threshold,
        "threshold_interval": (min(low, threshold), max(high, threshold)),
        "precision": reached,
        "coverage": captures.count_at_least(threshold) / len(captures),
        "needed": needed,
        "is_supported": reached["n"] >= needed,
    }


def confident_mistakes(data: LiveData) -> tuple[int, list[CapturedImage]]:
    """Return the number of misclassified labelled images at or above the threshold, and the most confident of them."""
    wrong = [
        image
        for image in data.joined.images
        if image.prediction.class_number != image.label and image.prediction.confidence >= data.threshold
    ]
    shown = sorted(wrong, key=lambda image: -image.prediction.confidence)[:MAX_IMAGES_SHOWN]
    bodies = data.captures.images([image.prediction for image in shown])
    names = [*data.classes, NEITHER]
    return len(wrong), [
        describe_image(image.prediction, body, names[image.prediction.class_number], None, names[image.label])
        for image, body in zip(shown, bodies, strict=True)
    ]
