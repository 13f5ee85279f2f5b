"""Classify images by their similarity to patches of the training images, without gradient descent.

The features of an image are its pooled similarities to randomly sampled, whitened patches. The logits come from a ridge
regression on these features.

Sources: Coates and Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector Quantization", 2011;
Thiry et al., "The Unreasonable Effectiveness of Patches in Deep Convolutional Kernels Methods", 2021,
https://arxiv.org/abs/2101.07528
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .calibration import fit_temperature
from .resizing import resize

SIDE = 32  # pixels to which images are resized
PATCH_SIZES = (4, 6, 8)  # side of a patch in pixels
PATCHES = 200  # number of patches of each size, without their mirror images
GRID = 4  # cells along each side of an image; similarities are averaged over each cell
COMPONENTS = 48  # principal components of a patch that are used; the other components hardly vary
COMPONENT_NOISE = 0.01  # added to each component's variance
NORM_FLOOR = 0.1  # added to a patch's norm, so that a flat patch has a low similarity to all patches
THRESHOLD = 0.25  # subtracted from each cosine similarity; smaller similarities count as zero
SAMPLED = 10_000  # number of patches from which the principal components are computed
MAX_EXAMPLES = 4096  # examples of the ridge regression, which solves one equation for each example
# candidates for the penalty of the ridge regression, relative to the mean square of an example's features
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
BATCH = 8  # images processed at once; the features of more images would not fit into a processor's cache
CONTRAST_FLOOR = 0.05  # added to a patch's contrast, so that noise in a flat patch is not amplified
SPREAD_FLOOR = 0.01  # share of the mean standard deviation, added to the standard deviation of each feature
EPSILON = 1e-6  # avoids division by zero for images without contrast


class PatchSimilarity(nn.Module):
    """Computes the similarity of an image to patches of one size.

    Parameters
    ----------
    size : side of a patch in pixels
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        components = min(COMPONENTS, 3 * size**2 - 1)  # removing the mean brightness removes one dimension
        self.whitening = constant(components, 3, size, size)
        self.patches = constant(2 * PATCHES, components, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return features, n x (2 PATCHES GRID^2), of images, n x 3 x SIDE x SIDE.

        An image and its mirror image have the same features.
        """
        whitened = functional.conv2d(images.contiguous(memory_format=torch.channels_last), self.whitening)
        similarity = functional.conv2d(whitened / (whitened.norm(dim=1, keepdim=True) + NORM_FLOOR), self.patches)
        pooled = torch.cat([self._pool(similarity), self._pool(-similarity)], 1).sqrt()
        plain, mirrored = pooled.reshape(-1, 2, 2, PATCHES, GRID, GRID).unbind(2)
        features: Tensor = (plain + mirrored.flip(-1)).flatten(1)
        return features

    def _pool(self, similarity: Tensor) -> Tensor:
        positions = SIDE - self.size + 1
        stride = positions // GRID
        return functional.avg_pool2d(functional.relu(similarity - THRESHOLD), positions - (GRID - 1) * stride, stride)

    def sample_patches(self, images: Tensor, generator: torch.Generator) -> None:
        """Sample patches from images, n x 3 x SIDE x SIDE, and compute the whitening matrix."""
        last = SIDE - self.size + 1
        limits = (len(images), last, last)
        index, top, left = (torch.randint(limit, (SAMPLED,), generator=generator) for limit in limits)
        sampled = images.unfold(2, self.size, 1).unfold(3, self.size, 1)[index, :, top, left]
        sampled = sampled - sampled.mean((1, 2, 3), keepdim=True)
        sampled = sampled / (sampled.std((1, 2, 3), keepdim=True) + CONTRAST_FLOOR)
        both = torch.cat([sampled, sampled.flip(3)]).flatten(1)
        variances, directions = torch.linalg.eigh(both.T @ both / len(both))
        kept = len(self.whitening)
        whitening = directions[:, -kept:] / (variances[-kept:].clamp(min=0) + COMPONENT_NOISE).sqrt()
        whitened = both @ whitening
        norms = whitened.norm(dim=1)
        structured = norms[:SAMPLED] > norms.median() / 2
        first = structured.int().argsort(descending=True, stable=True)[:PATCHES]
        chosen = torch.cat([first, first + SAMPLED])
        self.whitening.copy_((whitening - whitening.mean(0)).T.view_as(self.whitening))
        self.patches.copy_((whitened[chosen] / (norms[chosen, None] + EPSILON)).view_as(self.patches))


class PatchClassifier(nn.Module):
    """Computes logits from an image's similarity to patches of all sizes; before `fit`, all logits are zero."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.similarities = nn.ModuleList(PatchSimilarity(size) for size in PATCH_SIZES)
        self.weight = constant(classes, len(PATCH_SIZES) * 2 * PATCHES * GRID**2)
        self.bias = constant(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, n x classes, of uint8 images n x height x width x 3."""
        return functional.linear(self._features(preprocess(images)), self.weight, self.bias)

    def _features(self, images: Tensor) -> Tensor:
        return torch.cat([similarity(images) for similarity in self.similarities], 1)

    @torch.no_grad()
    def fit(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> float:
        """Fit the classifier on at most MAX_EXAMPLES random examples: sample patches and solve the ridge regression.

        Parameters
        ----------
        images : training images, uint8, n x height x width x 3
        labels : class numbers of the n images

        Returns
        -------
        float
            Leave-one-out accuracy on the examples of the regression.
        """
        chosen = torch.randperm(len(labels), generator=generator)[:MAX_EXAMPLES]
        batches = [preprocess(images[part]) for part in chosen.split(BATCH)]  # type: ignore[no-untyped-call]
        pixels, labels = torch.cat(batches), labels[chosen]
        for similarity in cast(Iterable[PatchSimilarity], self.similarities):
            similarity.sample_patches(pixels, generator)
        features = torch.cat([self._features(batch) for batch in batches])
        mean, spread = features.mean(0), features.std(0, correction=0)
        spread += SPREAD_FLOOR * spread.mean() + EPSILON
        features -= mean
        features /= spread
        targets = functional.one_hot(labels, len(self.bias)).float()
        priors = targets.mean(0)
        weights, predictions = ridge(features @ features.T / features.shape[1], targets - priors)
        predictions += priors
        temperature = fit_temperature(predictions, labels)
        self.weight.copy_(weights.T @ features / features.shape[1] / spread / temperature)
        self.bias.copy_(priors / temperature - self.weight @ mean)
        return float((predictions.argmax(1) == labels).float().mean())


def preprocess(images: Tensor) -> Tensor:
    """Convert images, n x height x width x 3, to n x 3 x SIDE x SIDE with values from 0 to 1."""
    resized: Tensor = resize(images.permute(0, 3, 1, 2).float() / 255.0, SIDE)
    return resized


def ridge(products: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Solve the ridge regression with the penalty in PENALTIES that has the smallest leave-one-out error.

    Parameters
    ----------
    products : inner products of the examples' centered features, n x n
    targets : centered targets, n x classes

    Returns
    -------
    n x classes, n x classes
        Each example's weights in the solution, and each example's leave-one-out prediction.
    """
    gram, centered = products.double(), targets.double()
    solutions = (solve_ridge(gram, centered, share * float(gram.diag().mean()) + EPSILON) for share in PENALTIES)
    weights, predictions = min(solutions, key=lambda solution: float((solution[1] - centered).square().mean()))
    return weights.float(), predictions.float()


def solve_ridge(products: Tensor, targets: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Solve the ridge regression with the given penalty, and return the same values as `ridge`."""
    examples = len(products)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(products + penalty * torch.eye(examples)))
    weights = inverse @ targets
    # A leave-one-out residual is the residual divided by one minus the leverage. Centering adds 1 / n to each leverage.
    residuals = penalty * weights / (penalty * inverse.diag()[:, None] - 1 / examples)
    return weights, targets - residuals


def constant(*shape: int) -> nn.Parameter:
    """Return a parameter of zeros that gradient descent does not change.

    A parameter is used because DistributedDataParallel copies parameters from rank 0 to all processes.
    """
    return nn.Parameter(torch.zeros(shape), requires_grad=False)
