"""How like the places of an image are to patches of the training images: features that nothing has to learn, and a
linear layer on them that is solved for.

Sources: Coates and Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector Quantization", 2011;
Thiry and others, "The Unreasonable Effectiveness of Patches in Deep Convolutional Kernels Methods", 2021,
https://arxiv.org/abs/2101.07528
"""

from collections.abc import Iterable
from typing import cast

import torch
from calibrate import temperature
from resizing import resize
from torch import Tensor, nn
from torch.nn import functional

SIDE = 32  # pixels to which images are brought
SIZES = (4, 6, 8)  # pixels of a patch's side
COUNT = 200  # patches of each size; as many again are their mirror images
PLACES = 4  # along each side, at which likeness is averaged
COMPONENTS = 48  # of a patch that are kept at most: the others hardly vary
NOISE = 0.01  # variance that is added to each component's own
FLOOR = 0.1  # that is added to a patch's length: one that is nearly flat is like nothing
THRESHOLD = 0.25  # of likeness, a cosine, below which it does not count
DRAWN = 10_000  # patches of which the components are found
MOST_ROWS = 4096  # that the linear layer is solved for: its system has a line for each
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # in shares of the rows' mean square
AT_ONCE = 8  # images that are computed on at once: more outgrow a processor's cache
CALM = 0.05  # that is added to a patch's contrast: what is nearly flat is not blown up
STEADY = 0.01  # share of the features' mean spread that is added to each one's
SMALL = 1e-6  # that keeps images without any contrast from dividing by nothing


class Bank(nn.Module):
    """Likeness to patches of one size.

    Parameters
    ----------
    size : pixels of a patch's side
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        components = min(COMPONENTS, 3 * size**2 - 1)  # one less: how bright a patch is does not count
        self.whitening = fixed(components, 3, size, size)
        self.patches = fixed(2 * COUNT, components, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Features, n x (2 COUNT PLACES^2), of images n x 3 x SIDE x SIDE: those of its mirror image, too."""
        whitened = functional.conv2d(images.contiguous(memory_format=torch.channels_last), self.whitening)
        likeness = functional.conv2d(whitened / (whitened.norm(dim=1, keepdim=True) + FLOOR), self.patches)
        pooled = torch.cat([self._pool(likeness), self._pool(-likeness)], 1).sqrt()
        plain, mirrored = pooled.reshape(-1, 2, 2, COUNT, PLACES, PLACES).unbind(2)
        features: Tensor = (plain + mirrored.flip(-1)).flatten(1)
        return features

    def _pool(self, likeness: Tensor) -> Tensor:
        positions = SIDE - self.size + 1
        stride = positions // PLACES
        return functional.avg_pool2d(functional.relu(likeness - THRESHOLD), positions - (PLACES - 1) * stride, stride)

    def draw(self, images: Tensor, generator: torch.Generator) -> None:
        """Take patches from images n x 3 x SIDE x SIDE."""
        last = SIDE - self.size + 1
        rows, top, left = (torch.randint(limit, (DRAWN,), generator=generator) for limit in (len(images), last, last))
        drawn = images.unfold(2, self.size, 1).unfold(3, self.size, 1)[rows, :, top, left]
        drawn = drawn - drawn.mean((1, 2, 3), keepdim=True)
        drawn = drawn / (drawn.std((1, 2, 3), keepdim=True) + CALM)
        both = torch.cat([drawn, drawn.flip(3)]).flatten(1)
        variances, directions = torch.linalg.eigh(both.T @ both / len(both))
        kept = len(self.whitening)
        whitening = directions[:, -kept:] / (variances[-kept:].clamp(min=0) + NOISE).sqrt()
        whitened = both @ whitening
        lengths = whitened.norm(dim=1)
        clear = (lengths[:DRAWN] > lengths.median() / 2).int().argsort(descending=True, stable=True)[:COUNT]
        chosen = torch.cat([clear, clear + DRAWN])
        self.whitening.copy_((whitening - whitening.mean(0)).T.view_as(self.whitening))
        self.patches.copy_((whitened[chosen] / (lengths[chosen, None] + SMALL)).view_as(self.patches))


class Patches(nn.Module):
    """Logits from an image's likeness to patches of all sizes; all zero before `learn`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.banks = nn.ModuleList(Bank(size) for size in SIZES)
        self.weight = fixed(classes, len(SIZES) * 2 * COUNT * PLACES**2)
        self.bias = fixed(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, n x classes, of uint8 images n x height x width x 3."""
        return functional.linear(self._features(small(images)), self.weight, self.bias)

    def _features(self, images: Tensor) -> Tensor:
        return torch.cat([bank(images) for bank in self.banks], 1)

    @torch.no_grad()
    def learn(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> float:
        """Draw patches and solve for the linear layer, on at most MOST_ROWS rows.

        Parameters
        ----------
        images : uint8, n x height x width x 3
        labels : n

        Returns
        -------
        float
            Share of the rows told right, each by the layer that the others would have given.
        """
        rows = torch.randperm(len(labels), generator=generator)[:MOST_ROWS]
        parts = [small(images[part]) for part in rows.split(AT_ONCE)]  # type: ignore[no-untyped-call]
        pictures, labels = torch.cat(parts), labels[rows]
        for bank in cast(Iterable[Bank], self.banks):
            bank.draw(pictures, generator)
        features = torch.cat([self._features(part) for part in parts])
        mean, spread = features.mean(0), features.std(0, correction=0)
        spread += STEADY * spread.mean() + SMALL
        features -= mean
        features /= spread
        targets = functional.one_hot(labels, len(self.bias)).float()
        shares = targets.mean(0)
        weights, told = ridge(features @ features.T / features.shape[1], targets - shares)
        told += shares
        divisor = temperature(told, labels)
        self.weight.copy_(weights.T @ features / features.shape[1] / spread / divisor)
        self.bias.copy_(shares / divisor - self.weight @ mean)
        return float((told.argmax(1) == labels).float().mean())


def small(images: Tensor) -> Tensor:
    """Images n x height x width x 3 as n x 3 x SIDE x SIDE, from 0 to 1."""
    brought: Tensor = resize(images.permute(0, 3, 1, 2).float() / 255.0, SIDE)
    return brought


def ridge(products: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Ridge regression, with the penalty under which each row is told best by the others.

    Parameters
    ----------
    products : n x n, of the rows' features with each other; their mean is zero
    targets : n x classes; their mean is zero, too

    Returns
    -------
    n x classes, n x classes
        Each row's weight in the solution; and what the others tell of it.
    """
    alike, wanted = products.double(), targets.double()
    solutions = (solve(alike, wanted, share * float(alike.diag().mean()) + SMALL) for share in PENALTIES)
    weights, told = min(solutions, key=lambda solution: float((solution[1] - wanted).square().mean()))
    return weights.float(), told.float()


def solve(products: Tensor, targets: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """The same with one penalty."""
    rows = len(products)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(products + penalty * torch.eye(rows)))
    weights = inverse @ targets
    # what is missed, divided by one minus the row's leverage, of which the mean has 1 / n
    missed = penalty * weights / (penalty * inverse.diag()[:, None] - 1 / rows)
    return weights, targets - missed


def fixed(*shape: int) -> nn.Parameter:
    """Numbers that no gradient changes; DistributedDataParallel gives all hosts the first one's."""
    return nn.Parameter(torch.zeros(shape), requires_grad=False)
