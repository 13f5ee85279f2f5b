"""Temperature scaling: divide all logits by one number, the temperature, to calibrate the probabilities.

The predicted classes do not change.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599
"""

import torch
from torch import Tensor
from torch.nn import functional

CANDIDATES = torch.logspace(-3, 1, 801)  # 0.001 to 10; the logits in patches.py need low temperatures
BINS = 15  # number of bins of equal width, as in Guo et al.


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that minimizes the cross-entropy on smoothed targets.

    Without smoothing, examples that are all correct would give a temperature of zero and confidences of 1. The
    target probability of an example's true class is therefore (n + 1) / (n + 2). The other classes share the
    remaining 1 / (n + 2) equally.

    Source of the targets: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.

    Parameters
    ----------
    logits : n x classes, logits of examples that the network was not trained on
    labels : true classes of the n examples
    """
    examples, classes = logits.shape
    # label_smoothing distributes this amount over all classes, including the example's true class
    smoothing = classes / ((examples + 2) * (classes - 1))
    losses = [functional.cross_entropy(logits / each, labels, label_smoothing=smoothing) for each in CANDIDATES]
    return float(CANDIDATES[torch.stack(losses).argmin()])


def cross_fitted(logits: Tensor, labels: Tensor) -> Tensor:
    """Return probabilities, n x classes, where each half of the examples is scaled with the other half's temperature.

    The calibration error of these probabilities estimates the error on new examples, because no example is scaled by
    a temperature that was fitted on it.
    """
    probabilities = torch.empty_like(logits)
    even = torch.arange(len(labels)) % 2 == 0
    for half in (even, ~even):
        probabilities[half] = (logits[half] / fit_temperature(logits[~half], labels[~half])).softmax(1)
    return probabilities


def expected_calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Return the mean over BINS bins of |accuracy - confidence|, weighted by the number of examples in each bin.

    Parameters
    ----------
    probabilities : n x classes, predicted probabilities
    labels : true classes of the n examples
    """
    confidence, predicted = probabilities.max(1)
    correct = (predicted == labels).float()
    bins = (confidence * BINS).ceil().clamp(1, BINS).long() - 1
    differences = torch.zeros(BINS).index_add(0, bins, correct - confidence)
    return float(differences.abs().sum() / len(labels))
