"""The embedding of an image: the first principal components of the network's features.

The features are the input of the network's last layer. Each component is scaled to a variance of 1 on the training
images. The drift job compares the embeddings of two sets of images.
"""

import torch
from torch import Tensor, nn

from .networks import CalibratedNetwork, Network, ScratchNetwork

DIMENSIONS = 8
MAX_IMAGES = 1000  # training images from which the principal components are computed
BATCH = 128
EPSILON = 1e-6  # relative to the largest variance; with very few images, some variances are zero


class Features(nn.Module):
    """Computes the input of a network's last layer."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.residual if isinstance(network, ScratchNetwork) else network
        self.kept: Tensor
        self.network.head.register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.kept = inputs[0]

    def forward(self, images: Tensor) -> Tensor:
        """Return the features, n x number of features, of uint8 images, n x height x width x 3."""
        self.network(images)
        return self.kept


class EmbeddingNetwork(nn.Module):
    """A calibrated network that returns an embedding besides the probabilities: the model that is exported.

    Parameters
    ----------
    calibrated : trained network with its temperature
    images : training images from which the principal components are computed, uint8, n x height x width x 3
    """

    def __init__(self, calibrated: CalibratedNetwork, images: Tensor) -> None:
        super().__init__()
        self.calibrated = calibrated.cpu().eval()
        self.features = Features(calibrated.network)  # type: ignore[arg-type]
        chosen = images[:: -(-len(images) // MAX_IMAGES)].cpu()
        mean, projection = principal_components(run(self.features, chosen))
        self.mean: Tensor
        self.projection: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("projection", projection)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities, n x classes, and embeddings, n x DIMENSIONS, of uint8 images n x height x width x 3."""
        probabilities = self.calibrated(images)
        return probabilities, self._project(self.features.kept)

    def embed(self, images: Tensor) -> Tensor:
        """Return the embeddings of images, n x DIMENSIONS."""
        return self._project(run(self.features, images))

    def _project(self, features: Tensor) -> Tensor:
        return (features - self.mean) @ self.projection


@torch.inference_mode()
def run(network: nn.Module, images: Tensor) -> Tensor:
    """Return a network's output for many images, computed in batches."""
    network.eval()
    return torch.cat([network(batch).float() for batch in images.split(BATCH)])  # type: ignore[no-untyped-call]


def principal_components(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of the features and the matrix that projects them to their scaled principal components.

    Parameters
    ----------
    features : n x number of features
    """
    mean = features.mean(0)
    centered = (features - mean).double()
    variances, directions = torch.linalg.eigh(centered.T @ centered / len(features))
    variances, directions = variances[-DIMENSIONS:].flip(0), directions[:, -DIMENSIONS:].flip(1)
    # the sign of a direction is arbitrary, but the same training must give the same file on every machine
    signs = directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()
    scale = (variances.clamp(min=0) + EPSILON * variances[0].clamp(min=EPSILON)).sqrt()
    return mean, (directions * signs / scale).float()
