"""The two algorithms that one switch chooses between: what each needs, and what it refuses before a job is paid for."""

import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from training.built_in import Hyperparameters, check_together

CONTAINER = Path(__file__).resolve().parent / "container"
GPU = re.compile(r"ml\.(p2|p3|g4dn|g5)\.")
OTHERS = "pretrain"
RECORDIO, IMAGES = "application/x-recordio", "application/x-image"


class HyperparameterError(Exception):
    """A hyperparameter is unknown, missing, out of range, or fits neither the others nor the data."""


class InstanceTypeError(Exception):
    """The algorithm does not train on this kind of instance."""


@dataclass(frozen=True)
class Data:
    """What is staged.

    Attributes
    ----------
    classes : names, in the order of their numbers
    rows : of the train split
    data_format : "images", one object each with a manifest, or "recordio", shards
    shards : of the train split; 0 where it has none
    size : pixels of an image's side
    others : whether other classes' rows are there, to learn from first
    """

    classes: tuple[str, ...]
    rows: int
    data_format: str
    shards: int
    size: int
    others: bool


@dataclass(frozen=True)
class Channel:
    """One input of a job.

    Attributes
    ----------
    key : in the bucket; a prefix where it ends in a slash
    sharded : whether each host is given its share of the objects; else each is given all
    """

    name: str
    key: str
    content_type: str
    sharded: bool = False


@dataclass(frozen=True)
class Range:
    """Where a tuning job looks for a hyperparameter: between two numbers, or among some texts.

    Attributes
    ----------
    low, high : None where `values` are given
    whole : whether they are whole numbers
    """

    name: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    values: tuple[str, ...] = ()


class Algorithm(Protocol):
    """What the launch must know.

    Attributes
    ----------
    name : as the switch has it
    scripted : whether the code in container/ goes with the job; else the image brings its own
    objective : the metric that a tuning job maximizes
    metrics : how SageMaker finds each figure in the log; none where it knows by itself
    """

    name: str
    scripted: bool
    objective: str
    metrics: Mapping[str, str]

    def settle(self, chosen: Mapping[str, str], data: Data) -> dict[str, str]:
        """All hyperparameters of a job, of which a person chose some.

        Raises
        ------
        HyperparameterError
            See there; or the data are in a form that the algorithm does not read.
        """

    def ranges(self, settled: Mapping[str, str]) -> list[Range]:
        """Where a tuning job looks, around what was settled."""

    def check_instances(self, instance_type: str, count: int) -> None:
        """Refuse what the algorithm cannot train on.

        Raises
        ------
        InstanceTypeError
            See there.
        """


class PyTorch:
    """Our own trainer, in script mode inside AWS's PyTorch image."""

    name = "pytorch"
    scripted = True
    objective = "validation_accuracy"
    metrics: Mapping[str, str] = {
        name: rf"{name}=([0-9.eE+-]+)"
        for name in ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss")
    }

    def settle(self, chosen: Mapping[str, str], data: Data) -> dict[str, str]:
        """Have the container's own module check them."""
        settings: Any = container_module("settings")
        given = {"classes": ",".join(data.classes), **chosen}
        try:
            parsed = settings.parse(given)
        except container_module("errors").InputError as error:
            raise HyperparameterError(str(error)) from error
        if parsed.pretrain_epochs and not data.others:
            raise HyperparameterError(
                "hyperparameter pretrain_epochs needs the rows of other classes: run `make stage PRETRAIN=1`"
            )
        return given

    def ranges(self, settled: Mapping[str, str]) -> list[Range]:
        """Around the recipe's values, which differ by a factor of fifty between the two recipes."""
        recipe: Any = container_module("settings").parse(settled)
        return [
            Range("learning_rate", recipe.learning_rate / 4, recipe.learning_rate * 4),
            Range("weight_decay", recipe.weight_decay / 10, recipe.weight_decay * 10),
        ]

    def check_instances(self, instance_type: str, count: int) -> None:
        """It trains on any."""


class ImageClassification:
    """SageMaker's built-in algorithm, in its own image."""

    name = "image-classification"
    scripted = False
    objective = "validation:accuracy"
    metrics: Mapping[str, str] = {}

    def settle(self, chosen: Mapping[str, str], data: Data) -> dict[str, str]:
        """Check them by AWS's documentation; what the data say is not a person's to choose."""
        # https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html#IC-recordio-training
        if data.shards > 1:
            raise HyperparameterError(
                f"image-classification takes one RecordIO file a channel, and {data.shards} are staged to train on: "
                "run `make stage FORMAT=images`"
            )
        known = {"num_classes": str(len(data.classes)), "num_training_samples": str(data.rows)}
        for name in known.keys() & chosen.keys():
            raise HyperparameterError(f"hyperparameter {name} is what the staged data say: leave it out")
        try:
            parsed = Hyperparameters.model_validate({**known, **chosen})
        except ValidationError as error:
            raise HyperparameterError(explain(error)) from error
        problem = check_together(parsed, size=data.size)
        if problem:
            raise HyperparameterError(f"hyperparameter {problem}")
        return {name: str(value) for name, value in parsed.model_dump(exclude_none=True).items()}

    def ranges(self, settled: Mapping[str, str]) -> list[Range]:
        """AWS names these three as the ones that matter most; for data of some hundred images."""
        return [
            Range("learning_rate", 1e-3, 0.3),
            Range("mini_batch_size", 16, min(128, int(settled["num_training_samples"])), whole=True),
            Range("optimizer", values=("sgd", "adam", "rmsprop", "nag")),
        ]

    def check_instances(self, instance_type: str, count: int) -> None:
        """It needs a GPU."""
        if not GPU.match(instance_type):
            raise InstanceTypeError(
                f"image-classification trains on GPU instances alone, of ml.p2, p3, g4dn or g5, not on {instance_type}"
            )


ALGORITHMS: Mapping[str, Algorithm] = {each.name: each for each in (PyTorch(), ImageClassification())}


def channels(algorithm: Algorithm, data: Data, hosts: int, hyperparameters: Mapping[str, str]) -> list[Channel]:
    """A job's inputs: both splits as shards, or as images with a manifest each; other classes where they are learned.

    Parameters
    ----------
    hyperparameters : as the algorithm settled them
    """
    if data.data_format == "recordio":
        # the built-in algorithm deals its records out by itself; of fewer shards than hosts some would have none
        sharded = algorithm.scripted and 1 < hosts <= data.shards
        found = [
            Channel("train", "train/", RECORDIO, sharded),
            Channel("validation", "validation/", RECORDIO),
        ]
    else:
        found = [
            Channel(split + suffix, f"{split}{end}", IMAGES)
            for split in ("train", "validation")
            for suffix, end in (("", "/"), ("_lst", ".lst"))
        ]
    if int(hyperparameters.get("pretrain_epochs", "0")):
        found.append(Channel(OTHERS, f"{OTHERS}/", RECORDIO))
    return found


def container_module(name: str) -> Any:
    """A module of container/, under the name by which its neighbours import it."""
    sys.path.insert(0, str(CONTAINER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(CONTAINER))


def explain(error: ValidationError) -> str:
    """The first of pydantic's findings, in one line."""
    found = error.errors()[0]
    name = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return f"hyperparameter {name} is unknown: there are {', '.join(Hyperparameters.model_fields)}"
    reason = found["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"hyperparameter {name} {reason}, not {found['input']!r}"
