"""Temperature scaling: divide the logits by one number that calibrates the probabilities and keeps each prediction.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599
"""

import torch
from torch import Tensor
from torch.nn import functional

CANDIDATES = torch.logspace(-3, 1, 801)  # 0.001 to 10; regression scores of many classes need small temperatures
BINS = 15  # of equal width, as in Guo et al.


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature of the smallest cross-entropy on smoothed targets.

    Without smoothing, examples that are all correct would give a temperature of zero and confidences of 1. So the
    target of an example's own class is (n + 1) / (n + 2), and the other classes share the rest.

    Source of the targets: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.

    Parameters
    ----------
    logits : n x classes, of examples that the network was not trained on
    labels : n
    """
    examples, classes = logits.shape
    # label_smoothing spreads its share over all classes, the example's own included
    smoothing = classes / ((examples + 2) * (classes - 1))
    losses = [functional.cross_entropy(logits / each, labels, label_smoothing=smoothing) for each in CANDIDATES]
    return float(CANDIDATES[torch.stack(losses).argmin()])


def cross_fitted(logits: Tensor, labels: Tensor) -> Tensor:
    """Return probabilities, n x classes, where each half of the examples uses the other half's temperature.

    Their calibration error estimates that of new examples, because no example is scaled by a temperature that was
    fitted on it.
    """
    probabilities = torch.empty_like(logits)
    even = torch.arange(len(labels)) % 2 == 0
    for half in (even, ~even):
        probabilities[half] = (logits[half] / fit_temperature(logits[~half], labels[~half])).softmax(1)
    return probabilities


def expected_calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Return the mean distance between confidence and accuracy over BINS bins, weighted by their examples.

    Parameters
    ----------
    probabilities : n x classes
    labels : n
    """
    confidence, predicted = probabilities.max(1)
    correct = (predicted == labels).float()
    bins = (confidence * BINS).ceil().clamp(1, BINS).long() - 1
    differences = torch.zeros(BINS).index_add(0, bins, correct - confidence)
    return float(differences.abs().sum() / len(labels))
