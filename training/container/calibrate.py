"""Temperature scaling: one number that makes probabilities honest and leaves every answer as it is.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599
"""

import torch
from torch import Tensor
from torch.nn import functional

CANDIDATES = torch.logspace(-3, 1, 801)  # 0.001, which shares of many classes may need, to 10
BINS = 15  # of equal width, as in that paper


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature under which these rows, one more that is right and one more that is wrong are likeliest.

    Where all rows are right they alone would be likeliest at no temperature at all, with every confidence 1; so each
    row's class is given (n + 1) / (n + 2) as its target, and the other classes share the rest.

    Source of the targets: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.

    Parameters
    ----------
    logits : n x classes, of rows that the network was not trained on
    labels : n
    """
    rows, classes = logits.shape
    # torch gives this share to all classes alike, the row's own among them
    smoothing = classes / ((rows + 2) * (classes - 1))
    losses = [functional.cross_entropy(logits / each, labels, label_smoothing=smoothing) for each in CANDIDATES]
    return float(CANDIDATES[torch.stack(losses).argmin()])


def cross_fitted(logits: Tensor, labels: Tensor) -> Tensor:
    """Probabilities, n x classes, of rows of which each half is divided by the other half's temperature.

    What they are worth is what a temperature is worth on rows that it was not fitted on.
    """
    probabilities = torch.empty_like(logits)
    even = torch.arange(len(labels)) % 2 == 0
    for half in (even, ~even):
        probabilities[half] = (logits[half] / temperature(logits[~half], labels[~half])).softmax(1)
    return probabilities


def expected_calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Mean distance between confidence and accuracy over BINS bins of confidence, weighted by their rows.

    Parameters
    ----------
    probabilities : n x classes
    labels : n
    """
    confidence, answer = probabilities.max(1)
    right = (answer == labels).float()
    number = (confidence * BINS).ceil().clamp(1, BINS).long() - 1
    differences = torch.zeros(BINS).index_add(0, number, right - confidence)
    return float(differences.abs().sum() / len(labels))
