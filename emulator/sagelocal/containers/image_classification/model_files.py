"""Read and write the model's files: the weights of each saved epoch, and the shape of the network's input.

AWS's image writes MXNet's `image-classification-0001.params` and a symbol file; this module uses PyTorch's format.
"""

import json
from pathlib import Path

import torch

from sagelocal.containers.image_classification.hyperparameters import Hyperparameters
from sagelocal.containers.image_classification.network import ResNet

PREFIX = "image-classification-"
SUFFIX = ".pt"
SHAPES = "model-shapes.json"


def create(hyperparameters: Hyperparameters) -> ResNet:
    """Create a network with random weights."""
    network = ResNet(
        num_layers=hyperparameters.num_layers,
        image_shape=hyperparameters.image_shape,
        num_classes=hyperparameters.num_classes,
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def save(network: ResNet, hyperparameters: Hyperparameters, folder: Path, epoch: int) -> Path:
    """Write the weights after `epoch`, counted from 0, atomically, and return the path of the weight file."""
    path = folder / f"{PREFIX}{epoch + 1:04d}{SUFFIX}"
    part = path.with_suffix(".part")
    content = {
        "num_layers": hyperparameters.num_layers,
        "image_shape": list(hyperparameters.image_shape),
        "num_classes": hyperparameters.num_classes,
        "weights": network.state_dict(),
    }
    torch.save(content, part)
    part.replace(path)
    shapes = [{"name": "data", "shape": [hyperparameters.mini_batch_size, *hyperparameters.image_shape]}]
    (folder / SHAPES).write_text(json.dumps(shapes))
    return path


def weight_files(folder: Path) -> list[Path]:
    """Return the weight files in a folder, in the order of their epochs."""
    return sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))


def load(folder: Path) -> tuple[ResNet, tuple[int, int]]:
    """Load the network of the last saved epoch for inference, and return it with its input's height and width.

    Raises
    ------
    FileNotFoundError
        If the folder contains no weights.
    """
    paths = weight_files(folder)
    if not paths:
        raise FileNotFoundError(
            f"{folder} contains no {PREFIX}*{SUFFIX}: serve a model that the emulator's image-classification trained"
        )
    content = torch.load(paths[-1], weights_only=True)
    channels, height, width = content["image_shape"]
    network = ResNet(
        num_layers=content["num_layers"],
        image_shape=(channels, height, width),
        num_classes=content["num_classes"],
    )
    network.load_state_dict(content["weights"])
    return network.eval(), (height, width)
