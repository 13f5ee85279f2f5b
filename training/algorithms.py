"""The training algorithms: their hyperparameters, input channels and metrics, and checks before a job is launched."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from staging.manifest import PRETRAINING
from training.built_in import Hyperparameters, find_conflict
from training.container.classifier import settings
from training.container.classifier.errors import InputError
from training.errors import TrainingRequestError

CONTAINER = Path(__file__).resolve().parent / "container"
GPU = re.compile(r"ml\.(p2|p3|g4dn|g5)\.")
RECORDIO, IMAGES = "application/x-recordio", "application/x-image"


@dataclass(frozen=True)
class StagedData:
    """The properties of the staged images that determine a job's channels and hyperparameters.

    Attributes
    ----------
    classes : class names, in the order of their labels
    training_images, validation_images : number of images in each split
    data_format : "images" (a manifest and an object for each image) or "recordio" (shards)
    shards : number of RecordIO shards in the training split; 0 if the format is "images"
    image_size : side of a staged image in pixels
    has_pretraining_data : whether images of classes besides `classes` are staged, for pretraining
    """

    classes: tuple[str, ...]
    training_images: int
    validation_images: int
    data_format: str
    shards: int
    image_size: int
    has_pretraining_data: bool


@dataclass(frozen=True)
class Channel:
    """One input channel of a job.

    Attributes
    ----------
    key : S3 key of the channel's only object, or, with a slash at the end, key prefix of the channel's objects
    sharded : True if the objects are divided among the hosts, False if each host receives all objects
    """

    name: str
    key: str
    content_type: str
    sharded: bool = False


@dataclass(frozen=True)
class Range:
    """The search space of one hyperparameter: a range of numbers, or a list of text values.

    Attributes
    ----------
    low, high : limits of the range; None if `values` is set
    whole : whether the numbers are integers
    values : text values to choose from; empty if the search space is a range of numbers
    """

    name: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    values: tuple[str, ...] = ()


class Algorithm(Protocol):
    """A training algorithm.

    Attributes
    ----------
    name : value of the option `--algorithm`
    scripted : True if a job runs the code in `container/`, False if the container image contains the algorithm
    objective : metric that a tuning job maximizes
    metrics : regular expression of each metric in the training log; empty for the built-in algorithm, whose metrics
        SageMaker defines
    """

    name: str
    scripted: bool
    objective: str
    metrics: Mapping[str, str]

    def complete_hyperparameters(self, chosen: Mapping[str, str], data: StagedData) -> dict[str, str]:
        """Return all hyperparameters of a job, including those that the operator chose.

        Parameters
        ----------
        chosen : hyperparameters that the operator chose

        Raises
        ------
        TrainingRequestError
            A hyperparameter is unknown or invalid, or the algorithm cannot train on the staged data.
        """

    def ranges(self, hyperparameters: Mapping[str, str]) -> list[Range]:
        """Return a tuning job's search space.

        Parameters
        ----------
        hyperparameters : all hyperparameters of a training job, on which the ranges depend
        """

    def check_instance_type(self, instance_type: str) -> None:
        """Raise TrainingRequestError if the algorithm cannot train on an instance type."""


class PyTorch:
    """This project's training code, which runs in script mode in AWS's PyTorch image."""

    name = "pytorch"
    scripted = True
    objective = "validation_accuracy"
    # fields of the JSON line that the training code logs after each epoch
    metrics: Mapping[str, str] = {
        name: rf'"{name}": ([0-9.eE+-]+)'
        for name in ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss")
    }

    def complete_hyperparameters(self, chosen: Mapping[str, str], data: StagedData) -> dict[str, str]:
        """Return the chosen hyperparameters and the classes, after checks. The job itself adds the default values."""
        known = {"classes": ",".join(data.classes)}
        check_not_chosen(known, chosen)
        given = {**known, **chosen}
        try:
            parsed = settings.parse(given)
        except InputError as error:
            raise TrainingRequestError(str(error)) from error
        if parsed.pretrain_epochs and not data.has_pretraining_data:
            raise TrainingRequestError(
                "hyperparameter pretrain_epochs needs staged images of other classes: run `make stage PRETRAIN=1`"
            )
        return given

    def ranges(self, hyperparameters: Mapping[str, str]) -> list[Range]:
        """Return ranges around the job's values.

        The ranges are not constant, because the defaults of the two networks differ by up to two orders of magnitude.
        """
        parsed = settings.parse(hyperparameters)
        return [
            Range("learning_rate", parsed.learning_rate / 4, parsed.learning_rate * 4),
            Range("weight_decay", parsed.weight_decay / 10, parsed.weight_decay * 10),
        ]

    def check_instance_type(self, instance_type: str) -> None:
        """Accept every instance type."""


class ImageClassification:
    """SageMaker's built-in image classification."""

    name = "image-classification"
    scripted = False
    objective = "validation:accuracy"
    metrics: Mapping[str, str] = {}

    def complete_hyperparameters(self, chosen: Mapping[str, str], data: StagedData) -> dict[str, str]:
        """Return the chosen hyperparameters, defaults, and the numbers of classes and training images, after checks."""
        # https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html#IC-recordio-training
        if data.shards > 1:
            raise TrainingRequestError(
                f"image-classification reads only one RecordIO file per channel, but {data.shards} training shards "
                "are staged: run `make stage FORMAT=images`"
            )
        known = {"num_classes": str(len(data.classes)), "num_training_samples": str(data.training_images)}
        check_not_chosen(known, chosen)
        try:
            parsed = Hyperparameters.model_validate({**known, **chosen})
        except ValidationError as error:
            raise TrainingRequestError(explain(error)) from error
        problem = find_conflict(parsed, size=data.image_size)
        if problem:
            raise TrainingRequestError(f"hyperparameter {problem}")
        return {name: str(value) for name, value in parsed.model_dump(exclude_none=True).items()}

    def ranges(self, hyperparameters: Mapping[str, str]) -> list[Range]:
        """Return ranges of the hyperparameters that have the greatest impact, according to AWS.

        The limits suit some hundred training images.

        Source: https://docs.aws.amazon.com/sagemaker/latest/dg/IC-tuning.html
        """
        return [
            Range("learning_rate", 1e-3, 0.3),
            Range("mini_batch_size", 16, min(128, int(hyperparameters["num_training_samples"])), whole=True),
            Range("optimizer", values=("sgd", "adam", "rmsprop", "nag")),
        ]

    def check_instance_type(self, instance_type: str) -> None:
        """Raise TrainingRequestError if the instance type has no GPU that the algorithm supports."""
        if not GPU.match(instance_type):
            raise TrainingRequestError(
                "image-classification trains only on GPU instances of the families ml.p2, ml.p3, ml.g4dn and ml.g5 "
                f"(got {instance_type})"
            )


ALGORITHMS: Mapping[str, Algorithm] = {each.name: each for each in (PyTorch(), ImageClassification())}


def channels(algorithm: Algorithm, data: StagedData, hosts: int, hyperparameters: Mapping[str, str]) -> list[Channel]:
    """Return a job's input channels: training and validation images, and pretraining images if the job pretrains.

    Parameters
    ----------
    hosts : number of hosts that train together
    hyperparameters : all hyperparameters of the job
    """
    if data.data_format == "recordio":
        # The shards are not divided if there are fewer shards than hosts, because some hosts would then receive none.
        # They are not divided for the built-in algorithm either, which itself divides the records among the hosts.
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
        found.append(Channel(PRETRAINING, f"{PRETRAINING}/", RECORDIO))
    return found


def check_not_chosen(known: Mapping[str, str], chosen: Mapping[str, str]) -> None:
    """Raise TrainingRequestError if the operator chose a hyperparameter that describes the staged data."""
    for name in known.keys() & chosen.keys():
        raise TrainingRequestError(f"hyperparameter {name} comes from the staged data: do not set it")


def explain(error: ValidationError) -> str:
    """Return one line that describes pydantic's first error."""
    found = error.errors()[0]
    name = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return f"hyperparameter {name} is unknown; the known ones are {', '.join(Hyperparameters.model_fields)}"
    reason = found["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"hyperparameter {name} {reason} (got {found['input']!r})"
