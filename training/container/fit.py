"""The two recipes. Training ends by epochs, never by the clock."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from augment import Draws, cover, disturb, draw, move
from data import Split
from errors import InputError
from hosts import Group
from networks import SEEN, Network, Pretrained, Scratch
from patches import AT_ONCE
from settings import Settings
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

WARM_UP = 0.2  # share of the steps in which the learning rate rises
SMOOTHING = 0.1
SEEDS = 10_007  # by which seeds lie apart: more than the epochs that can be asked for
CLOSE, CLOSE_PART = 0.7, 0.75  # share of the epochs that look at a part of each image, and that part's side
HEAD_RATE = 10  # how much faster a new head learns than a body that knows ImageNet


@dataclass(frozen=True)
class Epoch:
    """How one epoch went: figures of all hosts together, seconds of this one."""

    epoch: int
    train_accuracy: float
    train_loss: float
    validation_accuracy: float
    validation_loss: float
    seconds: float


class Training:
    """A network on its way.

    Parameters
    ----------
    network
        Trained in place.
    train
        This process's rows.
    before
        Seconds in which was learned what no epoch changes.

    Raises
    ------
    InputError
        There are too few rows for so many hosts.
    """

    def __init__(self, network: Network, train: Split, settings: Settings, group: Group, before: float = 0.0) -> None:
        self.network = network
        self.before = before
        self.epochs: list[Epoch] = []
        self._settings = settings
        self._group = group
        self._images = torch.from_numpy(train.images).to(group.device)
        self._labels = torch.from_numpy(train.labels).to(group.device)
        self._own = len(train.labels)
        self._count, self._size, self._least = shares(self._own, settings, group)
        self._optimizer = make_optimizer(network, settings)
        self._schedule = make_schedule(self._optimizer, settings.epochs * self._steps)
        self._module: nn.Module = _parallel(network, group)
        self._half = halves(group.device)

    @property
    def seconds(self) -> float:
        """Of the epochs, and of what was learned before."""
        return self.before + sum(epoch.seconds for epoch in self.epochs)

    @property
    def rows(self) -> int:
        """Of an epoch, of all hosts together."""
        return self._count * (self._group.size if self._group.sharded else 1)

    @property
    def _steps(self) -> int:
        return len(list(self._batches(torch.Generator())))

    def _batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        return batches(self._own, self._count, self._size, generator, self._least)

    def run(self, validation: Split, report: Callable[[Epoch], None], keep: Callable[[dict[str, Any]], None]) -> None:
        """Train all epochs that are left.

        Parameters
        ----------
        report : is told of each epoch
        keep : is given the state after each epoch, from which `resume` goes on
        """
        begun = time.perf_counter()
        learned, known = changing(self.network, validation)
        for number in range(len(self.epochs), self._settings.epochs):
            accuracy, loss = self._epoch(number)
            measured = score(predict(learned, validation) + known, validation)
            ended = time.perf_counter()
            self.epochs.append(Epoch(number, accuracy, loss, *measured, ended - begun))
            begun = ended
            report(self.epochs[-1])
            keep(self.state())

    def state(self) -> dict[str, Any]:
        """All that the epochs to come depend on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "before": self.before,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.before = state["before"]

    def _epoch(self, number: int) -> tuple[float, float]:
        """Accuracy and loss on the rows as they were disturbed."""
        # each epoch's draws depend on its number alone, so that training can go on from any
        generator = torch.Generator().manual_seed(SEEDS * self._settings.seed + number)
        self._module.train()
        told = torch.zeros(3, dtype=torch.float64, device=self._group.device)  # rows, rows told right, loss
        for rows in self._batches(generator):
            told += self._step(rows, draw(len(rows), generator))
        if self._group.size > 1:
            distributed.all_reduce(told)
        count, right, loss = told.tolist()
        return right / count, loss / count

    def _step(self, rows: Tensor, draws: Draws) -> Tensor:
        """One step on a batch, of which each host takes its part: the same batch with one host or several."""
        group = self._group
        part = slice(None) if group.sharded else slice(group.rank, None, group.size)
        total = len(rows) * (group.size if group.sharded else 1)
        mine = rows[part].to(group.device)
        labels = self._labels[mine]
        images, targets = self._change(self._images[mine], labels, draws[part])
        with torch.autocast(group.device.type, torch.bfloat16, enabled=self._half):
            logits = self._module(images).float()
        loss = functional.cross_entropy(logits, targets, label_smoothing=SMOOTHING, reduction="sum")
        self._optimizer.zero_grad(set_to_none=True)
        (loss * group.size / total).backward()  # hosts' gradients are averaged
        self._optimizer.step()
        self._schedule.step()
        right = (logits.argmax(1) == labels).sum()
        return torch.stack([torch.tensor(len(mine), device=group.device), right, loss.detach()])

    def _change(self, images: Tensor, labels: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Images as they are learned from, and the share of each class in them."""
        targets: Tensor = functional.one_hot(labels, self.network.head.out_features).float()
        if isinstance(self.network, Pretrained):
            return move(images, draws, SEEN), targets
        close = len(self.epochs) < CLOSE * self._settings.epochs
        size = images.shape[1]
        parts: Tensor = disturb(images, draws, round(size * CLOSE_PART) if close else size)
        mixed: tuple[Tensor, Tensor] = cover(parts, targets, draws)
        return mixed


def halves(device: torch.device) -> bool:
    """Whether a device calculates in bfloat16 by itself; GPUs before compute capability 8 (V100, T4) only emulate it.

    On a CPU the gradients of convolutions take from twice to ten times as long in it.
    """
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def make_optimizer(network: Network, settings: Settings) -> torch.optim.Optimizer:
    """AdamW for a network that knows something, SGD with Nesterov's momentum for one that knows nothing."""
    if not isinstance(network, Pretrained):
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


def make_schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """Up and down again, once; up for a step at least, which OneCycleLR divides by."""
    rates = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rates, total_steps=steps + 1, pct_start=max(WARM_UP, 2 / (steps + 1)), cycle_momentum=False
    )


def batches(rows: int, count: int, size: int, generator: torch.Generator, least: int) -> Iterator[Tensor]:
    """`count` of a host's rows, shuffled: of the host that has more than the others, others in each epoch.

    A last batch of fewer than `least` joins the one before: one row has no spread to normalise by.
    """
    parts = list(torch.randperm(rows, generator=generator)[:count].split(size))  # type: ignore[no-untyped-call]
    if len(parts) > 1 and len(parts[-1]) < least:
        parts[-2:] = [torch.cat(parts[-2:])]
    yield from parts


def shares(own: int, settings: Settings, group: Group) -> tuple[int, int, int]:
    """How many rows an epoch takes of this process's own, how many a batch takes of them, and how many at least.

    Raises
    ------
    InputError
        There are too few rows for so many processes.
    """
    count = _fewest(own, group)
    size = settings.batch_size // group.size if group.sharded else settings.batch_size
    least = 2 if group.sharded else 2 * group.size
    if min(size, count) < least:
        raise InputError(f"{count} rows in batches of {settings.batch_size} are too few for {group.size} processes")
    return count, size, least


def _fewest(count: int, group: Group) -> int:
    """Rows of the host that has the fewest: all take as many steps."""
    if not group.sharded:
        return count
    rows = torch.tensor(count, device=group.device)
    distributed.all_reduce(rows, op=distributed.ReduceOp.MIN)
    return int(rows)


def _parallel(network: Network, group: Group) -> nn.Module:
    if group.size == 1:
        alone: nn.Module = network
        return alone
    devices = [group.device] if group.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices)


@torch.inference_mode()
def predict(network: nn.Module, split: Split, size: int = 128) -> Tensor:
    """Logits of a split's rows, n x classes."""
    network.eval()
    device = next(network.parameters()).device
    parts = torch.from_numpy(split.images).split(size)  # type: ignore[no-untyped-call]
    return torch.cat([network(part.to(device)).float().cpu() for part in parts])


def changing(network: Network, split: Split) -> tuple[nn.Module, Tensor]:
    """What epochs change of a network, and the logits that the rest of it adds, n x classes or nothing at all."""
    if isinstance(network, Scratch):
        return network.residual, predict(network.patches, split, AT_ONCE)
    return network, torch.zeros(())


def score(logits: Tensor, split: Split) -> tuple[float, float]:
    """Accuracy and cross-entropy on a split."""
    labels = torch.from_numpy(split.labels)
    accuracy = float((logits.argmax(1) == labels).float().mean())
    return accuracy, float(functional.cross_entropy(logits, labels))
