"""Temperature scaling: one number that makes probabilities honest and leaves every answer as it is.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599
"""

import torch
from torch import Tensor
from torch.nn import functional

CANDIDATES = torch.logspace(-1, 1, 401)  # 0.1 to 10
BINS = 15  # of equal width, as in that paper


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature under which these rows are likeliest.

    Parameters
    ----------
    logits : n x classes, of rows that the network was not trained on
    labels : n
    """
    losses = torch.stack([functional.cross_entropy(logits / each, labels) for each in CANDIDATES])
    return float(CANDIDATES[losses.argmin()])


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
