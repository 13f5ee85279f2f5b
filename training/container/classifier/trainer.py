"""Train a network for a fixed number of epochs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from .augmentation import RandomDraws, crop_and_jitter, cutmix, draw, warp
from .data import Split
from .errors import InputError
from .networks import IMAGENET_SIDE, Network, PretrainedNetwork, ScratchNetwork
from .patches import BATCH
from .processes import ProcessGroup
from .settings import Settings

WARM_UP = 0.2  # share of the training steps in which the learning rate rises
LABEL_SMOOTHING = 0.1
SEED_STRIDE = 10_007  # larger than the largest `epochs`, so that each seed and epoch has a different generator
SMALL_CROP_EPOCHS, SMALL_CROP_SIDE = 0.7, 0.75  # in the first 70 % of the epochs, crops have 75 % of an image's side
HEAD_RATE = 10  # learning rate of the new last layer, relative to the learning rate of the pretrained layers


@dataclass(frozen=True)
class Epoch:
    """The metrics of an epoch: accuracies and losses over all processes, and this process's duration in seconds.

    Attributes
    ----------
    epoch : number of the epoch, counted from 0
    """

    epoch: int
    train_accuracy: float
    train_loss: float
    validation_accuracy: float
    validation_loss: float
    seconds: float


@dataclass(frozen=True)
class BatchPlan:
    """How one process divides its examples into batches.

    Attributes
    ----------
    examples : number of examples in an epoch
    size : number of examples in a batch
    smallest : smallest allowed size of a batch; each process needs two examples for batch normalization
    """

    examples: int
    size: int
    smallest: int


class Trainer:
    """Trains one network for `settings.epochs` epochs.

    Parameters
    ----------
    network : network to train; its parameters are changed
    train : training examples of this process
    settings : hyperparameters of the job
    group : processes that train the network together
    preparation_seconds : time that the preparation before the first epoch took

    Attributes
    ----------
    network : trained network
    epochs : metrics of the completed epochs
    images : training images on this process's device, uint8, n x height x width x 3

    Raises
    ------
    InputError
        There are too few examples for the number of processes.
    """

    def __init__(
        self,
        network: Network,
        train: Split,
        settings: Settings,
        group: ProcessGroup,
        preparation_seconds: float = 0.0,
    ) -> None:
        self.network = network
        self.preparation_seconds = preparation_seconds
        self.epochs: list[Epoch] = []
        self._settings = settings
        self._group = group
        self.images = torch.from_numpy(train.images).to(group.device)
        self._labels = torch.from_numpy(train.labels).to(group.device)
        self._plan = plan_batches(len(train.labels), settings, group)
        self._optimizer = make_optimizer(network, settings)
        self._schedule = make_schedule(self._optimizer, settings.epochs * self._steps)
        self._module = _distribute(network, group)
        self._bfloat16 = supports_bfloat16(group.device)

    @property
    def seconds(self) -> float:
        """Duration of the preparation and of all epochs."""
        return self.preparation_seconds + sum(epoch.seconds for epoch in self.epochs)

    @property
    def examples_per_epoch(self) -> int:
        """Number of examples on which all processes together train in an epoch."""
        return self._plan.examples * (self._group.size if self._group.sharded else 1)

    @property
    def _steps(self) -> int:
        return len(list(self._batches(torch.Generator())))

    def _batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        return shuffled_batches(len(self._labels), self._plan, generator)

    def run(self, validation: Split, report: Callable[[Epoch], None], save: Callable[[dict[str, Any]], None]) -> None:
        """Train the epochs that are not completed yet, and evaluate the network after each epoch.

        Parameters
        ----------
        validation : images and labels on which the network is evaluated
        report : called with each epoch's metrics
        save : called after each epoch with the state that `resume` restores
        """
        started = time.perf_counter()
        trained_part, constant_logits = split_trained(self.network, validation)
        for number in range(len(self.epochs), self._settings.epochs):
            accuracy, loss = self._train_epoch(number)
            measured = evaluate(predict(trained_part, validation) + constant_logits, validation)
            ended = time.perf_counter()
            self.epochs.append(Epoch(number, accuracy, loss, *measured, ended - started))
            started = ended
            report(self.epochs[-1])
            save(self.state())

    def state(self) -> dict[str, Any]:
        """Return everything that `resume` needs to continue the training after the completed epochs."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "preparation_seconds": self.preparation_seconds,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Restore the training from a value that `state` returned."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.preparation_seconds = state["preparation_seconds"]

    def _train_epoch(self, number: int) -> tuple[float, float]:
        """Train one epoch, and return the accuracy and the loss on its augmented training images."""
        # The generator depends only on the seed and the epoch, so that a resumed training draws the same numbers.
        generator = torch.Generator().manual_seed(SEED_STRIDE * self._settings.seed + number)
        self._module.train()
        totals = torch.zeros(3, dtype=torch.float64, device=self._group.device)  # examples, correct, loss
        for batch in self._batches(generator):
            totals += self._step(batch, draw(len(batch), generator))
        if self._group.size > 1:
            distributed.all_reduce(totals)
        count, correct, loss = totals.tolist()
        return correct / count, loss / count

    def _step(self, batch: Tensor, draws: RandomDraws) -> Tensor:
        """Train on a batch, and return three numbers: examples, correct predictions and summed loss of this process.

        Without shards, all processes draw the same batch, and each process trains on its part of the batch. The
        batches therefore do not depend on the number of hosts.
        """
        group = self._group
        part = slice(None) if group.sharded else slice(group.rank, None, group.size)
        total = len(batch) * (group.size if group.sharded else 1)
        own = batch[part].to(group.device)
        labels = self._labels[own]
        images, targets = self._augment(self.images[own], labels, draws[part])
        with torch.autocast(group.device.type, torch.bfloat16, enabled=self._bfloat16):
            logits = self._module(images).float()
        loss = functional.cross_entropy(logits, targets, label_smoothing=LABEL_SMOOTHING, reduction="sum")
        self._optimizer.zero_grad(set_to_none=True)
        # DistributedDataParallel averages gradients over the processes
        (loss * group.size / total).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        correct = (logits.argmax(1) == labels).sum()
        return torch.stack([torch.tensor(len(own), device=group.device), correct, loss.detach()])

    def _augment(self, images: Tensor, labels: Tensor, draws: RandomDraws) -> tuple[Tensor, Tensor]:
        """Return augmented images and their target probabilities."""
        targets: Tensor = functional.one_hot(labels, self.network.head.out_features).float()
        if isinstance(self.network, PretrainedNetwork):
            return warp(images, draws, IMAGENET_SIDE), targets
        is_small = len(self.epochs) < SMALL_CROP_EPOCHS * self._settings.epochs
        side = images.shape[1]
        crops = crop_and_jitter(images, draws, round(side * SMALL_CROP_SIDE) if is_small else side)
        return cutmix(crops, targets, draws)


def supports_bfloat16(device: torch.device) -> bool:
    """Return whether training on a device should use bfloat16.

    GPUs with a compute capability below 8 (V100, T4) only emulate bfloat16. On a CPU, the gradients of convolutions
    take two to ten times as long in bfloat16 as in float32.
    """
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def make_optimizer(network: Network, settings: Settings) -> torch.optim.Optimizer:
    """Return AdamW for a network pretrained on ImageNet, or SGD with Nesterov momentum for training from scratch."""
    if not isinstance(network, PretrainedNetwork):
        return torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=0.9,
            weight_decay=settings.weight_decay,
            nesterov=True,
        )
    head = list(network.head.parameters())
    head_ids = {id(parameter) for parameter in head}
    body = [parameter for parameter in network.parameters() if id(parameter) not in head_ids]
    groups = [
        {"params": body, "lr": settings.learning_rate},
        {"params": head, "lr": settings.learning_rate * HEAD_RATE},
    ]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


def make_schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """Return a one-cycle schedule of the learning rate.

    The learning rate rises in at least one step, because OneCycleLR would otherwise divide by zero.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rates, total_steps=steps + 1, pct_start=max(WARM_UP, 2 / (steps + 1)), cycle_momentum=False
    )


def shuffled_batches(examples: int, plan: BatchPlan, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the indices of each batch of an epoch.

    A host with more examples than `plan.examples` uses a different selection in each epoch. A last batch that is too
    small is merged with the batch before it.
    """
    chosen = torch.randperm(examples, generator=generator)[: plan.examples]
    batches = list(chosen.split(plan.size))  # type: ignore[no-untyped-call]
    if len(batches) > 1 and len(batches[-1]) < plan.smallest:
        batches[-2:] = [torch.cat(batches[-2:])]
    yield from batches


def plan_batches(examples: int, settings: Settings, group: ProcessGroup) -> BatchPlan:
    """Plan the batches of a process that has `examples` training examples. All processes must call this function.

    Raises
    ------
    InputError
        There are too few examples for the number of processes.
    """
    count = _fewest(examples, group)
    size = settings.batch_size // group.size if group.sharded else settings.batch_size
    smallest = 2 if group.sharded else 2 * group.size
    if min(size, count) < smallest:
        raise InputError(
            f"{count} training images in batches of {settings.batch_size} are too few for {group.size} processes: "
            "each process needs at least 2 images per batch"
        )
    return BatchPlan(count, size, smallest)


def _fewest(examples: int, group: ProcessGroup) -> int:
    """Return the number of examples of the process that has the fewest.

    All processes use this number of examples per epoch, because they must take the same number of steps.
    """
    if not group.sharded:
        return examples
    count = torch.tensor(examples, device=group.device)
    distributed.all_reduce(count, op=distributed.ReduceOp.MIN)
    return int(count)


def _distribute(network: Network, group: ProcessGroup) -> nn.Module:
    if group.size == 1:
        return network
    devices = [group.device] if group.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices)


@torch.inference_mode()
def predict(network: nn.Module, split: Split, batch: int = 128) -> Tensor:
    """Return a network's logits, n x classes, for all images of a split."""
    network.eval()
    device = next(network.parameters()).device
    batches = torch.from_numpy(split.images).split(batch)  # type: ignore[no-untyped-call]
    return torch.cat([network(images.to(device)).float().cpu() for images in batches])


def split_trained(network: Network, split: Split) -> tuple[nn.Module, Tensor]:
    """Return the part of a network that gradient descent trains, and the constant logits that the other part adds."""
    if isinstance(network, ScratchNetwork):
        return network.residual, predict(network.patches, split, BATCH)
    return network, torch.zeros(())


def evaluate(logits: Tensor, split: Split) -> tuple[float, float]:
    """Return the accuracy and the cross-entropy of predictions on a split.

    Parameters
    ----------
    logits : predictions for the images of the split, n x classes
    """
    labels = torch.from_numpy(split.labels)
    accuracy = float((logits.argmax(1) == labels).float().mean())
    return accuracy, float(functional.cross_entropy(logits, labels))
