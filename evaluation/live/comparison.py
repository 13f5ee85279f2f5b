"""Compare a model with the model that was in use before, on the same labelled images."""

from collections.abc import Sequence

import numpy as np

from evaluation.capture_table import Captures
from evaluation.live.join import LabelledImage
from evaluation.live.previous_model import BATCH, PreviousModel
from evaluation.live.results import Comparison, Estimate, Paired
from evaluation.live.sampling import Sample, audit_sample, sample_of
from evaluation.metrics import Booleans
from registry import comparison


def compare(
    previous: PreviousModel, images: Sequence[LabelledImage], captures: Captures, threshold: float
) -> Comparison:
    """Classify labelled images with the previous model, and compare its predictions with the captured ones.

    Parameters
    ----------
    threshold : confidence that separates the two strata of the sample from which the difference is estimated
    """
    predicted: list[int | None] = []
    for start in range(0, len(images), BATCH):
        predictions = [image.prediction for image in images[start : start + BATCH]]
        predicted += previous.classify(captures.images(predictions))
    compared = [(image, number) for image, number in zip(images, predicted, strict=True) if number is not None]
    valid = [image for image, _ in compared]
    ours = np.array([image.prediction.class_number == image.label for image in valid], dtype=np.bool_)
    theirs = np.array([number == image.label for image, number in compared], dtype=np.bool_)
    audit = audit_sample(valid)
    return {
        "previous": previous.name,
        "labelled": paired(ours, theirs),
        "audit": paired(ours[audit], theirs[audit]) if audit.any() else None,
        "difference": difference(valid, ours, theirs, sample_of(valid, captures, threshold)),
        "invalid": len(images) - len(valid),
    }


def paired(ours: Booleans, theirs: Booleans) -> Paired:
    """Compare two models on the same images.

    Parameters
    ----------
    ours, theirs : whether the evaluated model and the previous model classified each image correctly, shape (n,)
    """
    counts = comparison.Comparison(gained=int((ours & ~theirs).sum()), lost=int((theirs & ~ours).sum()))
    return {
        "n": len(ours),
        "correct": int(ours.sum()),
        "previous_correct": int(theirs.sum()),
        "gained": counts.gained,
        "lost": counts.lost,
        "p_value": counts.p_value,
    }


def difference(
    images: Sequence[LabelledImage], ours: Booleans, theirs: Booleans, sample: Sample | None
) -> Estimate | None:
    """Return the estimated difference of the models' accuracies for all traffic; None without a sample of all traffic.

    Parameters
    ----------
    sample : those of `images` that were selected with a known probability; None if they do not represent all traffic
    """
    if sample is None:
        return None
    is_selected = np.array([image.inclusion_probability is not None for image in images], dtype=np.bool_)
    values = (ours.astype(float) - theirs.astype(float))[is_selected]
    # prior: half an image that only the evaluated model classifies correctly, and half an image that only the previous
    # model classifies correctly
    interval = sample.mean_interval(values, (1.0, -1.0))
    return {"value": float(np.average(values, weights=sample.weights)), "interval": interval, "n": len(values)}
