"""Residual networks with the architecture of MXNet's image classification example.

He et al., Identity Mappings in Deep Residual Networks (2016): normalization and activation before each convolution.
Networks with one of CIFAR_DEPTHS have three stages, for images of CIFAR's size. All other networks have four stages,
for images of ImageNet's size. If the height and width are at most CIFAR_MAX_SIZE, the first convolution has a stride of
1 and is not followed by pooling.
"""

import torch
from torch import Tensor, nn

from sagelocal.containers.image_classification.hyperparameters import CIFAR_DEPTHS, CIFAR_MAX_SIZE

# Number of residual units in each stage, by depth
UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    **{depth: ((depth - 2) // 6,) * 3 for depth in CIFAR_DEPTHS},
}
BOTTLENECKS = (50, 101, 152, 200)  # depths whose residual units have a bottleneck
EPSILON = 2e-5


def widths(num_layers: int) -> tuple[int, ...]:
    """Return the number of channels after the stem and after each stage."""
    if num_layers in CIFAR_DEPTHS:
        return 16, 16, 32, 64
    return (64, 256, 512, 1024, 2048) if num_layers in BOTTLENECKS else (64, 64, 128, 256, 512)


class Unit(nn.Module):
    """A residual unit with two convolutions, or with three convolutions if it has a bottleneck."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, bottleneck: bool) -> None:
        super().__init__()
        narrow = outputs // 4 if bottleneck else outputs
        shapes = (
            [(inputs, narrow, 1, 1), (narrow, narrow, 3, stride), (narrow, outputs, 1, 1)]
            if bottleneck
            else [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(shape[0], eps=EPSILON) for shape in shapes)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels_in, channels_out, size, step, padding=size // 2, bias=False)
            for channels_in, channels_out, size, step in shapes
        )
        same_shape = inputs == outputs and stride == 1
        self.shortcut = None if same_shape else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, data: Tensor) -> Tensor:
        """Map n x inputs x height x width to n x outputs x height / stride x width / stride."""
        residual = data
        for number, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            data = torch.relu(norm(data))
            if number == 0 and self.shortcut is not None:
                residual = self.shortcut(data)
            data = convolution(data)
        return data + residual


class ResNet(nn.Module):
    """A residual network for float32 pixels from 0 to 255, n x 3 x height x width."""

    def __init__(self, *, num_layers: int, image_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = image_shape
        first, *stages = widths(num_layers)
        layers: list[nn.Module] = [nn.BatchNorm2d(channels, eps=EPSILON, affine=False)]
        if max(height, width) <= CIFAR_MAX_SIZE:
            layers.append(nn.Conv2d(channels, first, 3, padding=1, bias=False))
        else:
            layers += [
                nn.Conv2d(channels, first, 7, 2, padding=3, bias=False),
                nn.BatchNorm2d(first, eps=EPSILON),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, padding=1),
            ]
        inputs = first
        for stage, (outputs, count) in enumerate(zip(stages, UNITS[num_layers], strict=True)):
            for unit in range(count):
                stride = 2 if stage and not unit else 1
                layers.append(Unit(inputs, outputs, stride=stride, bottleneck=num_layers in BOTTLENECKS))
                inputs = outputs
        layers += [nn.BatchNorm2d(inputs, eps=EPSILON), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.body = nn.Sequential(*layers)
        self.classes = nn.Linear(inputs, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classes.bias)

    def forward(self, data: Tensor) -> Tensor:
        """Return the logits, n x classes."""
        logits: Tensor = self.classes(self.body(data))
        return logits
