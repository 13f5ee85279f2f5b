"""The two recipes. Training ends by epochs, never by the clock."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from data import Split
from networks import Pretrained, ResNet9
from settings import Settings
from torch import Tensor
from torch.nn import functional

WARM_UP = 0.2  # share of the steps in which the learning rate rises
SMOOTHING = 0.1
CROP_PADDING = 4
CUTOUT = 8  # pixels
HEAD_RATE = 10  # how much faster a new head learns than a body that knows ImageNet


@dataclass(frozen=True)
class Epoch:
    """How one epoch went."""

    epoch: int
    train_accuracy: float
    train_loss: float
    validation_accuracy: float
    validation_loss: float
    seconds: float


def fit(
    network: Pretrained | ResNet9,
    train: Split,
    validation: Split,
    settings: Settings,
    report: Callable[[Epoch], None],
) -> None:
    """Train a network in place; `report` is told of each epoch."""
    generator = torch.Generator().manual_seed(settings.seed)
    device = next(network.parameters()).device
    images, labels = torch.from_numpy(train.images).to(device), torch.from_numpy(train.labels).to(device)
    steps = settings.epochs * -(-len(labels) // settings.batch_size)
    optimizer = make_optimizer(network, settings)
    # on a CPU the gradients of depthwise convolutions take twice as long in bfloat16
    half = device.type == "cuda" or isinstance(network, ResNet9)
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rates, total_steps=steps + 1, pct_start=WARM_UP, cycle_momentum=False
    )
    for epoch in range(settings.epochs):
        begun = time.perf_counter()
        network.train()
        right, losses = 0, 0.0
        for rows in batches(len(labels), settings.batch_size, generator):
            batch = augment(images[rows.to(device)], generator, crop=isinstance(network, ResNet9))
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                logits = network(batch).float()
            target = labels[rows.to(device)]
            loss = functional.cross_entropy(logits, target, label_smoothing=SMOOTHING)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            right += int((logits.argmax(1) == target).sum())
            losses += float(loss.detach()) * len(rows)
        accuracy, validation_loss = score(network, validation)
        report(
            Epoch(
                epoch,
                right / len(labels),
                losses / len(labels),
                accuracy,
                validation_loss,
                time.perf_counter() - begun,
            )
        )


def make_optimizer(network: Pretrained | ResNet9, settings: Settings) -> torch.optim.Optimizer:
    """AdamW for a network that knows something, SGD with Nesterov's momentum for one that knows nothing."""
    if isinstance(network, ResNet9):
        return torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=0.9,
            weight_decay=settings.weight_decay,
            nesterov=True,
        )
    head = list(network.head.parameters())
    new = {id(parameter) for parameter in head}
    body = [parameter for parameter in network.parameters() if id(parameter) not in new]
    groups = [
        {"params": body, "lr": settings.learning_rate},
        {"params": head, "lr": settings.learning_rate * HEAD_RATE},
    ]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffled rows; a last batch of one row joins the one before, since one row has no spread to normalise by."""
    parts = list(torch.randperm(count, generator=generator).split(size))  # type: ignore[no-untyped-call]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    yield from parts


def augment(images: Tensor, generator: torch.Generator, *, crop: bool) -> Tensor:
    """Mirror half of the images; for a network without experience, shift and cover a part of each too.

    Parameters
    ----------
    images : uint8, n x height x width x 3
    """
    count = len(images)
    mirrored = torch.rand(count, generator=generator) < 0.5
    result = torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(2), images)
    if not crop:
        return result
    height, width = images.shape[1:3]
    channels_first = result.permute(0, 3, 1, 2).float()
    padded = functional.pad(channels_first, (CROP_PADDING,) * 4, mode="reflect").permute(0, 2, 3, 1)
    tops = torch.randint(2 * CROP_PADDING + 1, (count, 2), generator=generator).tolist()
    holes = torch.randint(0, max(height - CUTOUT, 1), (count, 2), generator=generator).tolist()
    shifted = torch.stack(
        [each[top : top + height, left : left + width] for each, (top, left) in zip(padded, tops, strict=True)]
    )
    for each, (top, left) in zip(shifted, holes, strict=True):
        each[top : top + CUTOUT, left : left + CUTOUT] = 127
    return shifted.to(torch.uint8)


@torch.inference_mode()
def predict(network: torch.nn.Module, split: Split, size: int = 128) -> Tensor:
    """Logits of a split's rows, n x classes."""
    network.eval()
    device = next(network.parameters()).device
    parts = torch.from_numpy(split.images).split(size)  # type: ignore[no-untyped-call]
    return torch.cat([network(part.to(device)).float().cpu() for part in parts])


def score(network: torch.nn.Module, split: Split) -> tuple[float, float]:
    """Accuracy and cross-entropy on a split."""
    logits, labels = predict(network, split), torch.from_numpy(split.labels)
    accuracy = float((logits.argmax(1) == labels).float().mean())
    return accuracy, float(functional.cross_entropy(logits, labels))
