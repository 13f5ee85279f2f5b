"""Load the model that was in use before the evaluated model, to classify labelled images with it in this process."""

import tarfile
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from common.aws import error_code
from common.errors import OperatorError
from common.s3 import split_url
from registry.model_registry import ModelRegistry, Version, find_version
from registry.trained_classes import check_classes
from training.container.classifier.images import FORMATS, ImageError, decode_image

FILES = ("model.onnx", "model.json")
MAX_BYTES = 2**30  # maximum size of each file
BATCH = 64  # maximum number of images in memory at the same time


class PreviousModelError(OperatorError):
    """There is no earlier model, or the earlier model cannot classify images in this process."""


@dataclass(frozen=True)
class PreviousModel:
    """The model that was in use before.

    Attributes
    ----------
    name : model version, such as `v2`
    classify : function that returns the number of the predicted class for each image, or None for bytes that are not an
        image
    """

    name: str
    classify: Callable[[Sequence[bytes | None]], list[int | None]]


def load_previous_model(registry: ModelRegistry, model: str, classes: Sequence[str], *, s3: Any) -> PreviousModel:
    """Load the model that was in use before the version `model`.

    Parameters
    ----------
    model : version whose predecessor is loaded
    classes : class names of the captured predictions

    Raises
    ------
    PreviousModelError
        No version was in use before, or its model cannot be loaded in this process.
    ClassesDifferError
        The predecessor was trained on other classes.
    """
    version = find_previous(registry, model)
    check_classes(version, classes, where=model, advice="they cannot be compared")
    with tempfile.TemporaryDirectory() as name:
        extract(version, Path(name), s3=s3)
        try:
            return PreviousModel(version.name, _load(Path(name)))
        except Exception as error:  # ONNX Runtime raises a dozen types for files that are not models
            raise PreviousModelError(f"{version.name} cannot be loaded: {error}") from error


def find_previous(registry: ModelRegistry, model: str) -> Version:
    """Return the version that was in use before the version `model`.

    Raises
    ------
    PreviousModelError
        No version was in use before.
    """
    in_use = registry.arn_in_use()
    used = [in_use, *registry.previous_arns()] if in_use else []
    versions = registry.versions()
    current = find_version(versions, model).arn
    before = used[used.index(current) + 1 :] if current in used else []
    found = [version for arn in before for version in versions if version.arn == arn]
    if not found:
        raise PreviousModelError(f"no model was in use before {model}")
    return found[0]


def extract(version: Version, folder: Path, *, s3: Any) -> None:
    """Extract only the files `FILES` (the network and its description) of a version's model.tar.gz to a folder.

    Raises
    ------
    PreviousModelError
        The archive is missing or damaged, or does not contain both files.
    """
    bucket, key = split_url(version.model_data_url)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        with tarfile.open(fileobj=body, mode="r|gz") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                stream = archive.extractfile(member) if name in FILES and member.size <= MAX_BYTES else None
                if stream:
                    (folder / name).write_bytes(stream.read())
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        raise PreviousModelError(f"{version.model_data_url} of {version.name} does not exist") from None
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise PreviousModelError(f"{version.model_data_url} cannot be unpacked: {error}") from error
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise PreviousModelError(
            f"{version.name} has no {missing[0]}, so it is not a model of this project's training code"
        )


def _load(folder: Path) -> Callable[[Sequence[bytes | None]], list[int | None]]:
    """Return the classifier of a model directory, which uses the code that serves the model in its container."""
    from training.container.classifier.serving import model_fn, predict  # slow: it imports ONNX Runtime

    model = model_fn(str(folder))

    def classify(bodies: Sequence[bytes | None]) -> list[int | None]:
        found: list[int | None] = [None] * len(bodies)
        pixels = {}
        for index, body in enumerate(bodies):
            try:
                pixels[index] = decode_image(body or b"", FORMATS, model.size)
            except ImageError:
                continue
        if pixels:
            probabilities = np.array(predict(model, np.stack(list(pixels.values()))))
            for index, number in zip(pixels, probabilities.argmax(axis=1).tolist(), strict=True):
                found[index] = number
        return found

    return classify
