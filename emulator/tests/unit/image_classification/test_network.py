"""ResNet networks: depth, number of parameters and output shapes."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from sagelocal.containers.image_classification.hyperparameters import CIFAR_DEPTHS, IMAGENET_DEPTHS
from sagelocal.containers.image_classification.network import ResNet


@pytest.fixture(autouse=True)
def meta_device() -> Iterator[None]:
    """Create networks and tensors on PyTorch's meta device, which computes shapes but no values."""
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("depth", [*CIFAR_DEPTHS, 18, 34, 50, 101])
def test_number_of_layers_is_the_depth(depth: int) -> None:
    # WHEN
    network = ResNet(num_layers=depth, image_shape=(3, 32, 32), num_classes=2)
    # THEN the number of layers with weights, except those in shortcuts, is the depth
    weights = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not name.endswith("shortcut")
    ]
    assert len(weights) == depth


def test_resnet_20_has_the_published_number_of_parameters() -> None:
    # WHEN
    network = ResNet(num_layers=20, image_shape=(3, 32, 32), num_classes=10)
    # THEN it has 0.27 million parameters (He et al. 2015, table 6)
    assert round(sum(each.numel() for each in network.parameters()) / 1e6, 2) == 0.27


@pytest.mark.parametrize(
    ("depth", "shape"),
    [(20, (3, 16, 16)), (18, (3, 32, 32)), (18, (3, 64, 48)), (50, (3, 33, 33))],
    ids=["cifar", "imagenet, small", "imagenet", "bottleneck"],
)
def test_network_returns_one_logit_per_class(depth: int, shape: tuple[int, int, int]) -> None:
    # GIVEN
    network = ResNet(num_layers=depth, image_shape=shape, num_classes=5).eval()
    # WHEN / THEN
    with torch.inference_mode():
        assert network(torch.full((2, *shape), 128.0)).shape == (2, 5)


@pytest.mark.parametrize(("size", "remaining"), [(32, 4), (64, 2)])
def test_stem_downsamples_only_large_images(size: int, remaining: int) -> None:
    # GIVEN
    network = ResNet(num_layers=IMAGENET_DEPTHS[0], image_shape=(3, size, size), num_classes=2).eval()
    # WHEN all layers before the global pooling run
    with torch.inference_mode():
        features = network.body[:-2](torch.zeros(1, 3, size, size))
    # THEN
    assert features.shape == (1, 512, remaining, remaining)
