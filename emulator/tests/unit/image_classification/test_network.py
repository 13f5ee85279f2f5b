"""Networks: as deep as they are called, and of He et al.'s size."""

import pytest
import torch
from sagelocal.containers.image_classification.hyperparameters import CIFAR_DEPTHS, IMAGENET_DEPTHS
from sagelocal.containers.image_classification.network import ResNet
from torch import nn


@pytest.mark.parametrize("depth", [*CIFAR_DEPTHS, 18, 34, 50, 101])
def test_a_network_has_as_many_layers_as_it_is_called_by(depth: int) -> None:
    # WHEN
    network = ResNet(num_layers=depth, image_shape=(3, 32, 32), num_classes=2)
    # THEN the layers that hold weights, without the shortcuts'
    weights = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not name.endswith("shortcut")
    ]
    assert len(weights) == depth


def test_resnet_20_has_the_parameters_of_its_paper() -> None:
    # WHEN
    network = ResNet(num_layers=20, image_shape=(3, 32, 32), num_classes=10)
    # THEN 0.27 million (He et al. 2015, table 6)
    assert round(sum(each.numel() for each in network.parameters()) / 1e6, 2) == 0.27


@pytest.mark.parametrize(
    ("depth", "shape"),
    [(20, (3, 16, 16)), (18, (3, 32, 32)), (18, (3, 64, 48)), (50, (3, 33, 33))],
    ids=["cifar", "imagenet, small", "imagenet", "bottleneck"],
)
def test_a_network_answers_once_a_class(depth: int, shape: tuple[int, int, int]) -> None:
    # GIVEN
    network = ResNet(num_layers=depth, image_shape=shape, num_classes=5).eval()
    # WHEN / THEN
    with torch.inference_mode():
        assert network(torch.full((2, *shape), 128.0)).shape == (2, 5)


@pytest.mark.parametrize(("size", "left"), [(32, 4), (64, 2)])
def test_small_images_are_not_reduced_at_the_start(size: int, left: int) -> None:
    # GIVEN
    network = ResNet(num_layers=IMAGENET_DEPTHS[0], image_shape=(3, size, size), num_classes=2).eval()
    # WHEN all but the pooling over what is left
    with torch.inference_mode():
        features = network.body[:-2](torch.zeros(1, 3, size, size))
    # THEN
    assert features.shape == (1, 512, left, left)
