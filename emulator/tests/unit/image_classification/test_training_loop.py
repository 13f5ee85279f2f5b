"""The training loop: reproducibility, batches, learning rates, optimizers, early stopping and accuracy."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sagelocal.containers.image_classification import model_files, training_log, training_loop
from sagelocal.containers.image_classification.channels import Split
from sagelocal.containers.image_classification.checkpoint import Checkpoints
from sagelocal.containers.image_classification.hyperparameters import Hyperparameters

from .examples import hyperparameters


def make_split(count: int) -> Split:
    """Return `count` noisy images of two colors, with the colors as classes."""
    labels = np.arange(count) % 2
    images = list(np.random.default_rng(count).integers(0, 100, (count, 16, 16, 3), dtype=np.uint8))
    for image, label in zip(images, labels, strict=True):
        image[:, :, label] += 100
    return Split(images, labels.astype(np.int64))


def no_checkpoints(given: Hyperparameters) -> Checkpoints:
    """Return Checkpoints without a folder, so that nothing is saved."""
    return Checkpoints(Path("none"), Path("none"), given)


def discard(epoch: int, best: float | None) -> None:
    """Do nothing after an epoch, instead of saving the network."""


def test_network_classifies_two_colors_correctly_after_training() -> None:
    # GIVEN
    given = hyperparameters(learning_rate="0.05", mini_batch_size="16", epochs="6", num_training_samples="64")
    torch.manual_seed(training_loop.SEED)
    network, accuracies = model_files.create(given), list[float]()

    def save(epoch: int, best: float | None) -> None:
        if best is not None:
            accuracies.append(best)

    # WHEN
    training_loop.fit(network, make_split(64), make_split(8), given, save, no_checkpoints(given))
    # THEN
    assert accuracies[-1] == 1


def test_training_twice_produces_the_same_weights() -> None:
    # GIVEN
    given = hyperparameters(augmentation_type="crop_color_transform", epochs="1")

    def train_network() -> dict[str, torch.Tensor]:
        torch.manual_seed(training_loop.SEED)
        network = model_files.create(given)
        training_loop.fit(network, make_split(8), make_split(4), given, discard, no_checkpoints(given))
        return network.state_dict()

    # WHEN
    first, second = train_network(), train_network()
    # THEN
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("count", "size", "batches"), [(8, 4, 2), (11, 4, 2), (4, 4, 1)])
def test_incomplete_batch_is_dropped(count: int, size: int, batches: int) -> None:
    # WHEN
    indices = list(training_loop.full_batches(count, size, torch.Generator().manual_seed(0)))
    # THEN
    assert [len(batch) for batch in indices] == [size] * batches
    assert len(set(torch.cat(indices).tolist())) == batches * size


class MessageList(logging.Handler):
    """A log handler that stores messages in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The messages that a test has logged to the training log."""
    handler = MessageList()
    monkeypatch.setattr(training_log.logger, "handlers", [handler])
    monkeypatch.setattr(training_log.logger, "propagate", False)
    before = training_log.logger.level
    training_log.logger.setLevel(logging.INFO)
    yield handler.messages
    training_log.logger.setLevel(before)


def test_learning_rate_is_reduced_at_each_step(messages: list[str]) -> None:
    # GIVEN
    given = hyperparameters(epochs="4", lr_scheduler_step="1,3", lr_scheduler_factor="0.5", learning_rate="0.1")
    # WHEN
    training_loop.fit(model_files.create(given), make_split(8), make_split(4), given, discard, no_checkpoints(given))
    # THEN
    found = re.findall(r"Update\[(\d)\]: Change learning rate to (\S+)", "\n".join(messages))
    assert found == [("1", "5.00000e-02"), ("3", "2.50000e-02")]


@pytest.mark.parametrize(
    ("optimizer", "kind", "settings"),
    [
        ("sgd", torch.optim.SGD, {"momentum": 0.5, "nesterov": False, "weight_decay": 0.25}),
        ("nag", torch.optim.SGD, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.25}),
        ("adam", torch.optim.Adam, {"betas": (0.1, 0.2), "eps": 0.3, "weight_decay": 0}),
        ("rmsprop", torch.optim.RMSprop, {"alpha": 0.4, "eps": 0.3, "weight_decay": 0}),
    ],
)
def test_optimizer_uses_its_hyperparameters(optimizer: str, kind: type, settings: dict[str, object]) -> None:
    # GIVEN
    given = hyperparameters(
        optimizer=optimizer, momentum="0.5", weight_decay="0.25", beta_1="0.1", beta_2="0.2", eps="0.3", gamma="0.4"
    )
    # WHEN
    made = training_loop.make_optimizer(model_files.create(given), given)
    # THEN
    assert type(made) is kind
    assert {name: made.param_groups[0][name] for name in settings} == settings


def test_nag_without_momentum_is_plain_sgd() -> None:
    # GIVEN
    given = hyperparameters(optimizer="nag", momentum="0")
    # WHEN
    made = training_loop.make_optimizer(model_files.create(given), given)
    # THEN
    assert made.param_groups[0]["nesterov"] is False


def test_weight_decay_does_not_apply_to_biases() -> None:
    # GIVEN
    given = hyperparameters(weight_decay="0.25")
    network = model_files.create(given)
    # WHEN
    decay = {
        id(parameter): group["weight_decay"]
        for group in training_loop.make_optimizer(network, given).param_groups
        for parameter in group["params"]
    }
    # THEN
    for name, parameter in network.named_parameters():
        assert decay[id(parameter)] == (0.0 if name.endswith("bias") else 0.25)


@pytest.mark.parametrize(
    ("settings", "accuracies", "epochs"),
    [
        ({}, [0.5, 0.5, 0.5, 0.5, 0.5], 5),
        ({"early_stopping": "True"}, [0.5, 0.5, 0.5, 0.5, 0.5], 3),
        ({"early_stopping": "True"}, [0.5, 0.6, 0.5, 0.6, 0.7], 4),
        ({"early_stopping": "True"}, [0.1, 0.2, 0.3, 0.4, 0.5], 5),
        ({"early_stopping": "True", "early_stopping_min_epochs": "4"}, [0.5, 0.5, 0.5, 0.5, 0.5], 4),
        ({"early_stopping": "True", "early_stopping_tolerance": "0.1"}, [0.5, 0.52, 0.54, 0.9, 0.9], 3),
    ],
    ids=["off", "on", "counter reset", "improving", "minimum epochs", "tolerance"],
)
def test_early_stopping_ends_training_after_the_expected_epoch(
    settings: dict[str, str], accuracies: list[float], epochs: int
) -> None:
    # GIVEN
    given = hyperparameters(
        **{"epochs": "5", "early_stopping_min_epochs": "1", "early_stopping_patience": "2", **settings}
    )
    stopping = training_loop.EarlyStopping(given)
    # WHEN
    stops = [stopping.update(epoch, accuracy) for epoch, accuracy in enumerate(accuracies)]
    # THEN
    assert (stops.index(True) + 1 if True in stops else 5) == epochs


def test_top_k_accuracy_counts_the_k_best_classes() -> None:
    # GIVEN
    counter = training_loop.AccuracyCounter(hyperparameters(num_classes="4", top_k="2"))
    # WHEN the correct classes of three images are ranked first, second and third
    counter.add(torch.tensor([[4.0, 3, 2, 1]] * 3), torch.tensor([0, 1, 2]))
    # THEN
    assert counter.metrics() == {"accuracy": 1 / 3, "top_k_accuracy_2": 2 / 3}
