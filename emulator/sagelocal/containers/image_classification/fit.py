"""Training, epoch by epoch."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sagelocal.containers.image_classification import augment, log
from sagelocal.containers.image_classification.channels import Split
from sagelocal.containers.image_classification.checkpoint import Checkpoints
from sagelocal.containers.image_classification.hyperparameters import Hyperparameters
from sagelocal.containers.image_classification.network import ResNet

SEED = 0  # AWS documents none
LOGGED = 20  # batches between two lines of the log


def fit(
    network: ResNet,
    train: Split,
    validation: Split,
    given: Hyperparameters,
    save: Callable[[int, float | None], None],
    checkpoints: Checkpoints,
) -> None:
    """Train a network in place, from where a job before this one was interrupted.

    Parameters
    ----------
    save : is told of every epoch, counted from 0, and its validation accuracy if it is the best so far
    """
    generator = torch.Generator().manual_seed(SEED)
    optimizer = make_optimizer(network, given)
    stopping = Stopping(given)
    trained = 0
    if state := checkpoints.load():
        trained, stopping.best, stopping.waited = state["trained"], state["best"], state["waited"]
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        log.logger.info("Resuming from checkpoint after epoch %d", trained - 1)
    for epoch in range(trained, given.epochs):
        if epoch in given.lr_scheduler_step:
            reduce_rate(optimizer, given.lr_scheduler_factor, epoch)
        begun = time.perf_counter()
        measured = train_epoch(network, optimizer, train, given, generator, epoch)
        log.trained(epoch, time.perf_counter() - begun, measured)
        accuracy = validate(network, validation, given)
        log.validated(epoch, accuracy)
        save(epoch, accuracy if accuracy > stopping.best else None)
        over = stopping.is_over(epoch, accuracy)
        state = {
            "trained": given.epochs if over else epoch + 1,
            "best": stopping.best,
            "waited": stopping.waited,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "generator": generator.get_state(),
        }
        checkpoints.save(state)
        if over:
            log.logger.info("Early stopping after epoch %d: validation accuracy does not improve", epoch)
            return


def make_optimizer(network: ResNet, given: Hyperparameters) -> torch.optim.Optimizer:
    """As told; decay is for `sgd` and `nag`, and for weights, not for biases, as MXNet has it."""
    rate, named = given.learning_rate, list(network.named_parameters())
    if given.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=rate, betas=(given.beta_1, given.beta_2), eps=given.eps)
    if given.optimizer == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), lr=rate, alpha=given.gamma, eps=given.eps)
    groups = [
        {"params": [each for name, each in named if name.endswith("weight")], "weight_decay": given.weight_decay},
        {"params": [each for name, each in named if not name.endswith("weight")], "weight_decay": 0.0},
    ]
    nesterov = given.optimizer == "nag" and given.momentum > 0  # PyTorch's needs momentum, and without it is sgd
    return torch.optim.SGD(groups, lr=rate, momentum=given.momentum, nesterov=nesterov)


def reduce_rate(optimizer: torch.optim.Optimizer, factor: float, epoch: int) -> None:
    """Multiply the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] *= factor
    log.logger.info("Update[%d]: Change learning rate to %0.5e", epoch, optimizer.param_groups[0]["lr"])


def train_epoch(
    network: ResNet,
    optimizer: torch.optim.Optimizer,
    train: Split,
    given: Hyperparameters,
    generator: torch.Generator,
    epoch: int,
) -> Mapping[str, float]:
    """One pass over the training images; accuracy, and that among the first `top_k` if given."""
    network.train()
    count = Count(given)
    size = given.mini_batch_size
    begun = time.perf_counter()
    for number, rows in enumerate(full_batches(len(train.labels), size, generator)):
        batch = make_batch(train, rows, given, generator)
        labels = torch.from_numpy(train.labels)[rows]
        logits = network(batch)
        loss = functional.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        count.add(logits.detach(), labels)
        if number and number % LOGGED == 0:
            log.batch(epoch, number, LOGGED * size / (time.perf_counter() - begun), count.shares())
            begun = time.perf_counter()
    return count.shares()


def full_batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffled rows, `size` at a time; what is left over waits for the next epoch's order, as on AWS."""
    order = torch.randperm(count, generator=generator)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def make_batch(split: Split, rows: Tensor, given: Hyperparameters, generator: torch.Generator) -> Tensor:
    """The images of some rows, augmented: float32, n x 3 x height x width."""
    images = [split.images[row] for row in rows.tolist()]
    _, height, width = given.image_shape
    if given.augmentation_type is None:
        return _floats(augment.central(images, (height, width)))
    batch = _floats(augment.cropped(images, (height, width), generator))
    if given.augmentation_type != "crop":
        batch = augment.colored(batch, generator)
    if given.augmentation_type == "crop_color_transform":
        batch = augment.transformed(batch, generator)
    return batch.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def validate(network: ResNet, validation: Split, given: Hyperparameters) -> float:
    """Accuracy on the middle of each validation image."""
    network.eval()
    _, height, width = given.image_shape
    right, size = 0, given.mini_batch_size
    for start in range(0, len(validation.labels), size):
        batch = _floats(augment.central(validation.images[start : start + size], (height, width)))
        labels = torch.from_numpy(validation.labels[start : start + size])
        right += int((network(batch).argmax(1) == labels).sum())
    return right / len(validation.labels)


@dataclass
class Count:
    """How many images of an epoch were classified rightly."""

    given: Hyperparameters
    rows: int = 0
    right: int = 0
    among_top: int = 0

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Take in a batch: logits n x classes, labels n."""
        self.rows += len(labels)
        self.right += int((logits.argmax(1) == labels).sum())
        if self.given.top_k:
            top = logits.topk(min(self.given.top_k, logits.shape[1])).indices
            self.among_top += int((top == labels[:, None]).sum())

    def shares(self) -> dict[str, float]:
        """By the names that the log has for them."""
        shares = {"accuracy": self.right / self.rows}
        if self.given.top_k:
            shares[f"top_k_accuracy_{self.given.top_k}"] = self.among_top / self.rows
        return shares


@dataclass
class Stopping:
    """When training ends early, and the best accuracy so far."""

    given: Hyperparameters
    best: float = -1.0
    waited: int = 0

    def is_over(self, epoch: int, accuracy: float) -> bool:
        """Take in an epoch's validation accuracy; whether it was the last one.

        An improvement counts if its ratio to the best accuracy before is at least `early_stopping_tolerance`.
        """
        improvement = accuracy - self.best
        counts = improvement > 0 and improvement >= self.given.early_stopping_tolerance * self.best
        self.waited = 0 if counts else self.waited + 1
        self.best = max(self.best, accuracy)
        enough = epoch + 1 >= self.given.early_stopping_min_epochs
        return self.given.early_stopping and enough and self.waited >= self.given.early_stopping_patience


def _floats(batch: Tensor) -> Tensor:
    return batch.float().contiguous(memory_format=torch.channels_last)
