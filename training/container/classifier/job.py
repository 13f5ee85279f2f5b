"""The training job: read the input channels, train a network, and write the model and its metrics.

The channels `train` and `validation` contain RecordIO shards, or images whose manifests are in the channels `train_lst`
and `validation_lst`. The channel `pretrain` is read if the network is pretrained on images of other classes.
artifacts.py describes the files that the job writes.
"""

import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from . import checkpoint
from .artifacts import write_artifacts
from .data import Split, read_channel
from .errors import InputError
from .events import log_event
from .networks import ResNet9, ScratchNetwork, make_network
from .processes import ProcessGroup, join_processes
from .settings import Settings, parse
from .trainer import Epoch, Trainer, plan_batches

MAX_PRETRAIN_CLASSES = 100
HELD_OUT = 20  # every 20th pretraining image is held out, to measure the accuracy of the pretraining


def main() -> None:
    """Run the training job. If its input is invalid, write the failure reason and exit with status 1."""
    try:
        settings = parse(json.loads(os.environ.get("SM_HPS", "{}")))
        group = join_processes()
        train(settings, group)
        group.close()
    except InputError as error:
        folder = Path(os.environ.get("SM_OUTPUT_DIR", "/opt/ml/output"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "failure").write_text(str(error))
        log_event("error", message=str(error))
        sys.exit(1)


def train(settings: Settings, group: ProcessGroup) -> None:
    """Train, calibrate and export a network. Resume from a checkpoint if there is one for this training."""
    torch.manual_seed(settings.seed)
    # The same seed must give the same model, but the fastest algorithms of cuDNN add numbers in varying order.
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    examples, validation = (
        read_channel(name, classes=len(settings.classes), size=settings.image_size) for name in ("train", "validation")
    )
    if group.sharded:  # a host's processes divide the examples in the host's shards among themselves
        examples = examples.select(np.arange(len(examples.labels)) % group.local_size == group.local_rank)
    group.log(
        "data",
        training_images=len(examples.labels),
        validation_images=len(validation.labels),
        processes=group.size,
        device=str(group.device),
    )
    network = make_network(classes=len(settings.classes), pretrained=bool(settings.pretrained))
    folder = Path(os.environ.get("SM_CHECKPOINT_DIR", "/opt/ml/checkpoints"))
    # the number of processes changes the number of steps, so a checkpoint is valid only for the same number
    identity = {**asdict(settings), "processes": group.size, "sharded": group.sharded}
    state = group.broadcast(checkpoint.load(folder, identity) if group.is_main else None)
    plan_batches(len(examples.labels), settings, group)  # raises an error for too few examples before any training
    started = time.perf_counter()
    if isinstance(network, ScratchNetwork) and not state:
        prepare(network, examples, settings, group)
    trainer = Trainer(network.to(group.device), examples, settings, group, time.perf_counter() - started)
    if state:
        trainer.resume(state)
        group.log("resumed", epochs=len(trainer.epochs))

    def report(epoch: Epoch) -> None:
        metrics = {name: round(value, 4) for name, value in asdict(epoch).items() if name != "epoch"}
        group.log("epoch", epoch=epoch.epoch + 1, epochs=settings.epochs, **metrics)

    def save(state: dict[str, object]) -> None:
        if group.is_main and folder.is_dir():  # the folder exists only if the job has a checkpoint location
            checkpoint.save(folder, identity, state)

    trainer.run(validation, report, save)
    if group.is_main:
        write_artifacts(trainer, validation, settings)


def prepare(network: ScratchNetwork, examples: Split, settings: Settings, group: ProcessGroup) -> None:
    """Pretrain the residual network if `pretrain_epochs` is set, and fit the patch classifier.

    The first checkpoint is written after the first epoch of the training that follows. A job that is interrupted
    earlier therefore repeats this step. Only rank 0 fits the patch classifier, on the examples of its own process. The
    Trainer copies the patch classifier to the other processes.
    """
    if settings.pretrain_epochs:
        pretrain(network.residual, settings, group)
    if not group.is_main:
        return
    generator = torch.Generator().manual_seed(settings.seed)
    accuracy = network.patches.fit(torch.from_numpy(examples.images), torch.from_numpy(examples.labels), generator)
    group.log("patches_fitted", leave_one_out_accuracy=round(accuracy, 4))


def pretrain(network: ResNet9, settings: Settings, group: ProcessGroup) -> None:
    """Train a network on the classes in the channel `pretrain`, with a temporary last layer for these classes."""
    examples = read_channel("pretrain", classes=MAX_PRETRAIN_CLASSES, size=settings.image_size)
    held_out = np.arange(len(examples.labels)) % HELD_OUT == 0
    classes = int(examples.labels.max()) + 1
    group.log("pretraining_data", images=len(examples.labels), classes=classes)
    head = network.head
    network.head = torch.nn.Linear(head.in_features, classes)

    def report(epoch: Epoch) -> None:
        group.log(
            "pretraining_epoch",
            epoch=epoch.epoch + 1,
            epochs=settings.pretrain_epochs,
            held_out_accuracy=round(epoch.validation_accuracy, 4),
            seconds=round(epoch.seconds, 4),
        )

    pretraining = replace(settings, epochs=settings.pretrain_epochs)
    unsharded = replace(group, sharded=False)  # every host receives all images of the channel
    trainer = Trainer(network.to(group.device), examples.select(~held_out), pretraining, unsharded)
    trainer.run(examples.select(held_out), report, lambda state: None)
    network.head = head
