"""The content of `live.json`, which `make live` writes and the report reads."""

from typing import TypedDict

from evaluation.evaluate import Calibration, ClassMetrics
from evaluation.metrics import CurvePoint, Interval
from evaluation.monitoring import CapturedImage


class Estimate(TypedDict):
    """A figure with its 95 % interval; both are None without images, the interval also with too few.

    Attributes
    ----------
    n : number of labelled images on which the figure depends
    """

    value: float | None
    interval: Interval | None
    n: int


class Labels(TypedDict):
    """What became of the labels.

    Attributes
    ----------
    files, answers : number of label files, and of answers from the review
    read : valid labels of both
    used : labelled images in the time range
    unmatched : labels of images that are not among the captured ones; the time range or the sample may lack them
    unknown_classes, contradictions, malformed : number of labels that were left out, because they name a class that
        the model does not have, because the labels of an image differ, or because they cannot be read
    messages : names the first labels of each kind that were left out
    """

    files: int
    answers: int
    read: int
    used: int
    unmatched: int
    unknown_classes: int
    contradictions: int
    malformed: int
    messages: list[str]


class Figures(TypedDict):
    """Figures of labelled images, or estimates of all traffic in the same format.

    Attributes
    ----------
    accuracy : share of correct predictions; an image that shows none of the classes counts as misclassified
    coverage : share of images at or above the threshold
    precision : accuracy of the images at or above the threshold
    confusion : rows are true labels, then `neither`; columns are predicted classes; estimates are no whole numbers
    curve : accuracy and coverage by threshold
    """

    accuracy: Estimate
    coverage: Estimate
    precision: Estimate
    confusion: list[list[float]]
    per_class: list[ClassMetrics]
    curve: list[CurvePoint]
    calibration: Calibration


class Stratum(TypedDict):
    """A part of the traffic: images `below` the threshold, or `at or above` it.

    Attributes
    ----------
    records : captured images
    labelled : labelled images that were selected with a known probability
    """

    name: str
    records: int
    labelled: int


class Traffic(TypedDict):
    """Estimates for all traffic from the reviewed images, which were selected with known probabilities.

    Attributes
    ----------
    method : of the estimates and of their intervals, with sources
    """

    figures: Figures
    strata: list[Stratum]
    method: str


class Paired(TypedDict):
    """Two models on the same images.

    Attributes
    ----------
    gained, lost : images that only this model, or only the previous one, classified correctly
    p_value : exact one-sided McNemar test; small values mean that this model is worse
    """

    n: int
    correct: int
    previous_correct: int
    gained: int
    lost: int
    p_value: float


class Comparison(TypedDict):
    """The comparison with the model that was in use before.

    Attributes
    ----------
    previous : version of that model
    labelled : on all labelled images; those below this model's threshold are overrepresented, which favours the other
    audit : on the audit sample, which is a random one; None without labels of it
    difference : of both models' accuracies for all traffic, positive if this model is better; None without an estimate
    invalid : number of labelled images that the previous model cannot classify, or that are not captured
    """

    previous: str
    labelled: Paired
    audit: Paired | None
    difference: Estimate | None
    invalid: int


class Recommendation(TypedDict):
    """The threshold for a wanted precision.

    Attributes
    ----------
    threshold : the smallest with that precision for all traffic; None if no threshold reaches it
    threshold_interval : 95 % interval; its end is 1 if no threshold may reach the precision
    precision, coverage : at the threshold
    needed : number of labelled images at or above the threshold that can show this precision
    is_supported : whether there are as many
    """

    wanted: float
    threshold: float | None
    threshold_interval: Interval | None
    precision: Estimate | None
    coverage: float | None
    needed: int
    is_supported: bool


class Live(TypedDict):
    """The content of `live.json`; parts without labels are None, and `notes` says why.

    Attributes
    ----------
    written : time in ISO 8601
    window : start and end of the time range in ISO 8601
    model : version whose predictions are evaluated
    records : captured images in the time range; of an image that was captured again, only the latest counts
    duplicates : records that were left out, because a later one has their ID
    malformed : lines that could not be read; `malformed_lines` names the first
    skewed : records whose time is far from the hour of their file
    neither : labelled images that show none of the classes
    audit : accuracy of the random audit sample, with its Wilson interval
    mistakes : misclassified images at or above the threshold, most confident first; `mistake_count` counts all
    notes : a sentence for everything that limits the results
    """

    written: str
    window: dict[str, str]
    endpoint: str
    model: str
    threshold: float
    classes: list[str]
    records: int
    duplicates: int
    malformed: int
    malformed_lines: list[str]
    skewed: int
    labels: Labels
    neither: int
    labelled: Figures | None
    audit: Estimate | None
    traffic: Traffic | None
    mistake_count: int
    mistakes: list[CapturedImage]
    comparison: Comparison | None
    recommendation: Recommendation | None
    notes: list[str]
