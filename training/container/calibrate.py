"""Temperature scaling: one number that makes probabilities honest and leaves every answer as it is.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599
"""

import torch
from torch import Tensor
from torch.nn import functional

CANDIDATES = torch.logspace(-1, 1, 401)  # 0.1 to 10


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature under which these rows are likeliest.

    Parameters
    ----------
    logits : n x classes, of rows that the network was not trained on
    labels : n
    """
    losses = torch.stack([functional.cross_entropy(logits / each, labels) for each in CANDIDATES])
    return float(CANDIDATES[losses.argmin()])
