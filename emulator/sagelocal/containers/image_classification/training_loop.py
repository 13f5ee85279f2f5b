"""The training loop: epochs, optimizer, learning rate schedule and early stopping."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sagelocal.containers.image_classification import augmentation, training_log
from sagelocal.containers.image_classification.channels import Split
from sagelocal.containers.image_classification.checkpoint import Checkpoints
from sagelocal.containers.image_classification.hyperparameters import Hyperparameters
from sagelocal.containers.image_classification.network import ResNet

SEED = 0  # AWS does not document the seed of its image
LOG_INTERVAL = 20  # batches


def fit(
    network: ResNet,
    train: Split,
    validation: Split,
    hyperparameters: Hyperparameters,
    save: Callable[[int, float | None], None],
    checkpoints: Checkpoints,
) -> None:
    """Train a network in place, starting from the checkpoint of an interrupted job if there is one.

    Parameters
    ----------
    save : function that is called after each epoch. Its arguments are the epoch's number, counted from 0, and the
        epoch's validation accuracy if this is the best so far, otherwise None
    """
    generator = torch.Generator().manual_seed(SEED)
    optimizer = make_optimizer(network, hyperparameters)
    stopping = EarlyStopping(hyperparameters)
    trained = 0
    if state := checkpoints.load():
        trained, stopping.best, stopping.waited = state["trained"], state["best"], state["waited"]
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        training_log.logger.info("Resuming from checkpoint after epoch %d", trained - 1)
    for epoch in range(trained, hyperparameters.epochs):
        if epoch in hyperparameters.lr_scheduler_step:
            reduce_rate(optimizer, hyperparameters.lr_scheduler_factor, epoch)
        start = time.perf_counter()
        metrics = train_epoch(network, optimizer, train, hyperparameters, generator, epoch)
        training_log.log_training(epoch, time.perf_counter() - start, metrics)
        accuracy = validate(network, validation, hyperparameters)
        training_log.log_validation(epoch, accuracy)
        save(epoch, accuracy if accuracy > stopping.best else None)
        stop = stopping.update(epoch, accuracy)
        state = {
            # after early stopping, a restarted job must not train the remaining epochs
            "trained": hyperparameters.epochs if stop else epoch + 1,
            "best": stopping.best,
            "waited": stopping.waited,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "generator": generator.get_state(),
        }
        checkpoints.save(state)
        if stop:
            training_log.logger.info("Early stopping after epoch %d: validation accuracy does not improve", epoch)
            return


def make_optimizer(network: ResNet, hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    """Create the optimizer. As AWS documents, only `sgd` and `nag` use weight decay; as in MXNet, biases have none."""
    rate, named = hyperparameters.learning_rate, list(network.named_parameters())
    if hyperparameters.optimizer == "adam":
        return torch.optim.Adam(
            network.parameters(),
            lr=rate,
            betas=(hyperparameters.beta_1, hyperparameters.beta_2),
            eps=hyperparameters.eps,
        )
    if hyperparameters.optimizer == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), lr=rate, alpha=hyperparameters.gamma, eps=hyperparameters.eps)
    groups = [
        {
            "params": [each for name, each in named if name.endswith("weight")],
            "weight_decay": hyperparameters.weight_decay,
        },
        {"params": [each for name, each in named if not name.endswith("weight")], "weight_decay": 0.0},
    ]
    # with a momentum of 0, nag is the same as sgd, but PyTorch rejects nesterov=True
    nesterov = hyperparameters.optimizer == "nag" and hyperparameters.momentum > 0
    return torch.optim.SGD(groups, lr=rate, momentum=hyperparameters.momentum, nesterov=nesterov)


def reduce_rate(optimizer: torch.optim.Optimizer, factor: float, epoch: int) -> None:
    """Multiply the learning rate by a factor."""
    for group in optimizer.param_groups:
        group["lr"] *= factor
    training_log.logger.info("Update[%d]: Change learning rate to %0.5e", epoch, optimizer.param_groups[0]["lr"])


def train_epoch(
    network: ResNet,
    optimizer: torch.optim.Optimizer,
    train: Split,
    hyperparameters: Hyperparameters,
    generator: torch.Generator,
    epoch: int,
) -> Mapping[str, float]:
    """Train for one epoch and return the metrics: accuracy, and top-k accuracy if `top_k` is set."""
    network.train()
    accuracy = AccuracyCounter(hyperparameters)
    size = hyperparameters.mini_batch_size
    start = time.perf_counter()
    for number, indices in enumerate(full_batches(len(train.labels), size, generator)):
        batch = make_batch(train, indices, hyperparameters, generator)
        labels = torch.from_numpy(train.labels)[indices]
        logits = network(batch)
        loss = functional.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        accuracy.add(logits.detach(), labels)
        if number and number % LOG_INTERVAL == 0:
            speed = LOG_INTERVAL * size / (time.perf_counter() - start)
            training_log.log_batch(epoch, number, speed, accuracy.metrics())
            start = time.perf_counter()
    return accuracy.metrics()


def full_batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield shuffled indices in batches of `size`; as on AWS, an incomplete last batch is dropped."""
    order = torch.randperm(count, generator=generator)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def make_batch(split: Split, indices: Tensor, hyperparameters: Hyperparameters, generator: torch.Generator) -> Tensor:
    """Return the images at some indices, augmented: float32, n x 3 x height x width."""
    images = [split.images[index] for index in indices.tolist()]
    _, height, width = hyperparameters.image_shape
    if hyperparameters.augmentation_type is None:
        return _floats(augmentation.crop_center(images, (height, width)))
    batch = _floats(augmentation.crop_randomly(images, (height, width), generator))
    if hyperparameters.augmentation_type != "crop":
        batch = augmentation.shift_colors(batch, generator)
    if hyperparameters.augmentation_type == "crop_color_transform":
        batch = augmentation.transform_geometry(batch, generator)
    return batch.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def validate(network: ResNet, validation: Split, hyperparameters: Hyperparameters) -> float:
    """Return the accuracy on the center crops of the validation images."""
    network.eval()
    _, height, width = hyperparameters.image_shape
    correct, size = 0, hyperparameters.mini_batch_size
    for start in range(0, len(validation.labels), size):
        batch = _floats(augmentation.crop_center(validation.images[start : start + size], (height, width)))
        labels = torch.from_numpy(validation.labels[start : start + size])
        correct += int((network(batch).argmax(1) == labels).sum())
    return correct / len(validation.labels)


@dataclass
class AccuracyCounter:
    """Counts the correctly classified images of an epoch."""

    hyperparameters: Hyperparameters
    total: int = 0
    correct: int = 0
    in_top_k: int = 0

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Count a batch: logits n x classes, labels n."""
        self.total += len(labels)
        self.correct += int((logits.argmax(1) == labels).sum())
        if self.hyperparameters.top_k:
            top = logits.topk(min(self.hyperparameters.top_k, logits.shape[1])).indices
            self.in_top_k += int((top == labels[:, None]).sum())

    def metrics(self) -> dict[str, float]:
        """Return the accuracies by their names in the log."""
        metrics = {"accuracy": self.correct / self.total}
        if self.hyperparameters.top_k:
            metrics[f"top_k_accuracy_{self.hyperparameters.top_k}"] = self.in_top_k / self.total
        return metrics


@dataclass
class EarlyStopping:
    """Tracks the best validation accuracy and decides whether to stop early.

    Attributes
    ----------
    best : best validation accuracy so far; -1 before the first epoch
    waited : number of epochs since the last improvement that counts (see `update`)
    """

    hyperparameters: Hyperparameters
    best: float = -1.0
    waited: int = 0

    def update(self, epoch: int, accuracy: float) -> bool:
        """Record an epoch's validation accuracy and return whether training stops.

        An improvement counts if its ratio to the previous best accuracy is at least `early_stopping_tolerance`.
        """
        improvement = accuracy - self.best
        counts = improvement > 0 and improvement >= self.hyperparameters.early_stopping_tolerance * self.best
        self.waited = 0 if counts else self.waited + 1
        self.best = max(self.best, accuracy)
        enough = epoch + 1 >= self.hyperparameters.early_stopping_min_epochs
        return (
            self.hyperparameters.early_stopping
            and enough
            and self.waited >= self.hyperparameters.early_stopping_patience
        )


def _floats(batch: Tensor) -> Tensor:
    return batch.float().contiguous(memory_format=torch.channels_last)
