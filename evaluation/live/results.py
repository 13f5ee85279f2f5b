"""The content of `live.json`, which `make live` writes and the report reads."""

from typing import TypedDict

from evaluation.evaluate import Calibration, ClassMetrics
from evaluation.metrics import CurvePoint, Interval
from evaluation.monitoring import CapturedImage

MAX_SHARE_NOT_COVERED = 0.2  # of the captured images


class Estimate(TypedDict):
    """A metric with its 95 % interval.

    Attributes
    ----------
    value : the metric; None if `n` is 0
    interval : the 95 % interval; None if `n` is 0, or if the value is not an estimate
    n : number of images from which the value is computed
    """

    value: float | None
    interval: Interval | None
    n: int


class Labels(TypedDict):
    """The numbers of labels that are used, and that are left out for each reason.

    Attributes
    ----------
    files : number of label files
    answers : number of answers from the review
    read : number of valid labels from files and answers
    used : number of labelled images in the time range
    unmatched : number of labels of images that are not captured in the time range
    unknown_classes : number of labels that name a class that the model does not have
    contradictions : number of images that are left out, because they have different labels
    malformed : number of labels and label files that cannot be read
    messages : messages about the first labels that are left out for each reason
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
    """Metrics of labelled images, or estimates of these metrics for all traffic.

    Attributes
    ----------
    accuracy : proportion of correct predictions; an image that shows none of the classes counts as misclassified
    coverage : proportion of images at or above the threshold
    precision : accuracy of the images at or above the threshold
    confusion : confusion matrix: rows are true labels and, last, `neither`; columns are predicted classes; the numbers
        of an estimate are not integers
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
    """A part of the traffic: the images below the threshold, or the images at or above the threshold.

    Attributes
    ----------
    records : number of captured images
    labelled : number of labelled images that were selected with a known probability
    """

    name: str
    records: int
    labelled: int


class Traffic(TypedDict):
    """Estimates for all traffic from the reviewed images, which were selected with known probabilities.

    Attributes
    ----------
    method : description of the method of the estimates and their intervals, with sources
    """

    figures: Figures
    strata: list[Stratum]
    method: str


class Paired(TypedDict):
    """The comparison of the evaluated model and the previous model on the same images.

    Attributes
    ----------
    gained : number of images that only the evaluated model classified correctly
    lost : number of images that only the previous model classified correctly
    p_value : p-value of the exact one-sided McNemar test; small values mean that the evaluated model is worse
    """

    n: int
    correct: int
    previous_correct: int
    gained: int
    lost: int
    p_value: float


class Comparison(TypedDict):
    """The comparison of the evaluated model with the model that was in use before.

    Attributes
    ----------
    previous : version of the previous model
    labelled : comparison on all labelled images; images on which the evaluated model has a low confidence are
        overrepresented, which favours the previous model
    audit : comparison on the random audit sample; None if none of its images is labelled
    difference : difference of the accuracies for all traffic, positive if the evaluated model is better; None if it
        cannot be estimated
    invalid : number of labelled images that the previous model cannot classify, or that are not captured
    """

    previous: str
    labelled: Paired
    audit: Paired | None
    difference: Estimate | None
    invalid: int


class Reviewed(TypedDict):
    """The captured images that were selected for review and labelled.

    Attributes
    ----------
    start, end : times of the first and the last of these images in ISO 8601
    not_covered : number of captured images that are older than the first or newer than the last of these images
    """

    start: str
    end: str
    not_covered: int


def is_mostly_covered(reviewed: Reviewed, records: int) -> bool:
    """Return whether at most a fifth of the captured images are older or newer than all reviewed images.

    If not, a note says so, and the accuracy in live traffic is not evidence for the report's verdict.

    Parameters
    ----------
    records : number of captured images
    """
    return reviewed["not_covered"] <= MAX_SHARE_NOT_COVERED * records


class Recommendation(TypedDict):
    """The recommended threshold for a target precision.

    Attributes
    ----------
    target_precision : the given precision
    threshold : the smallest threshold that reaches the target precision; None if no threshold reaches it
    threshold_interval : 95 % interval of the threshold; an upper end of 1 means that possibly no threshold reaches the
        target precision
    precision, coverage : estimated precision and coverage at the threshold
    needed : minimum number of labelled images at or above the threshold that can show the target precision
    is_supported : whether there are at least `needed` such images
    """

    target_precision: float
    threshold: float | None
    threshold_interval: Interval | None
    precision: Estimate | None
    coverage: float | None
    needed: int
    is_supported: bool


class Live(TypedDict):
    """The content of `live.json`. Fields that cannot be computed or were not requested are None.

    Attributes
    ----------
    written : time in ISO 8601
    window : start and end of the time range in ISO 8601
    model : model version whose predictions are evaluated
    records : number of captured images; if several records have the same ID, only the latest is counted
    duplicates : number of earlier records that are not counted, because a later record has the same ID
    malformed : number of lines that could not be read
    malformed_lines : file, line number and reason of each of the first of these lines
    skewed : number of records whose time is more than an hour before or after the hour of their file
    neither : number of labelled images that show none of the classes
    audit : accuracy on the random audit sample, with its Wilson interval
    mistakes : misclassified images at or above the threshold, most confident first; `mistake_count` is the number of
        all such images
    notes : a sentence for each limitation of the results
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
    reviewed: Reviewed | None
    mistake_count: int
    mistakes: list[CapturedImage]
    comparison: Comparison | None
    recommendation: Recommendation | None
    notes: list[str]
