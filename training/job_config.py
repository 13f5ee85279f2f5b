"""Create a training job's request from the operator's options and the staged data, and check it before the launch."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from common.s3 import list_objects
from common.terminal import counted
from staging.manifest import MANIFEST, Manifest, is_training_shard
from training import packages
from training.algorithms import CONTAINER, Algorithm, StagedData
from training.errors import TrainingRequestError
from training.launch import TrainingJobConfig, brings_packages

MAX_NAMES_SHOWN = 3


@dataclass(frozen=True)
class TrainingRequest:
    """Everything that is needed to launch a training job.

    Attributes
    ----------
    manifest : manifest of the staged data
    serving_image : URI of the container image that serves the model
    data : properties of the staged data
    hyperparameters : all hyperparameters of the job, as text
    """

    algorithm: Algorithm
    config: TrainingJobConfig
    manifest: Manifest
    data: StagedData
    serving_image: str
    hyperparameters: dict[str, str]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the data, the code and the hyperparameters: requests with equal hashes train the same model.

        The hash also depends on whether model.tar.gz contains Python packages.
        """
        packaged = brings_packages(self.algorithm, self.config)
        objects = {key: stored.md5 for key, stored in self.manifest.objects.items()}
        content = [self.algorithm.name, objects, self.hyperparameters, packaged]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
        for path in sorted(CONTAINER.rglob("*")) if self.algorithm.scripted else ():
            if path.suffix in {".py", ".txt"}:
                digest.update(path.relative_to(CONTAINER).as_posix().encode() + path.read_bytes())
        return digest.hexdigest()


def make_request(
    algorithm: Algorithm,
    config: TrainingJobConfig,
    manifest: Manifest,
    hyperparameters: Mapping[str, str],
    *,
    serving_image: str,
) -> TrainingRequest:
    """Return the request for a training job on the staged data, after checks.

    Parameters
    ----------
    hyperparameters : hyperparameters that the operator chose
    serving_image : URI of the container image that serves the model

    Raises
    ------
    TrainingRequestError
        A hyperparameter or the instance type is invalid, or the algorithm cannot train on the staged data.
    """
    data = describe_data(manifest)
    algorithm.check_instance_type(config.instance_type)
    complete = algorithm.complete_hyperparameters(hyperparameters, data)
    return TrainingRequest(algorithm, config, manifest, data, serving_image, complete)


def describe_data(manifest: Manifest) -> StagedData:
    """Return the properties of the staged data that determine a job's channels and hyperparameters."""
    return StagedData(
        classes=manifest.classes,
        training_images=manifest.splits["train"].count,
        validation_images=manifest.splits["validation"].count,
        data_format=manifest.format,
        shards=manifest.shard_count("train"),
        image_size=manifest.image_side,
        has_pretraining_data=manifest.has_pretraining_data,
    )


def check_staged(manifest: Manifest, *, classes: Sequence[str], bucket: str, environment: str, s3: Any) -> None:
    """Check the staged data: the classes match the settings, all objects exist, and there are no other shards.

    Without this check, a job would fail minutes after its launch, or train on shards that the manifest does not list.

    Parameters
    ----------
    classes : class names in the environment's settings
    environment : name of the environment, such as `dev`

    Raises
    ------
    TrainingRequestError
        The staged classes differ from the settings, staged objects are missing, or there are shards that the manifest
        does not list.
    """
    advice = f"run `make stage ENV={environment}`"
    if manifest.classes != tuple(classes):
        raise TrainingRequestError(
            f"the staged classes are {', '.join(manifest.classes)}, but "
            f"terraform/environments/{environment}.tfvars has {', '.join(classes)}: {advice}"
        )
    prefixes = {key.partition("/")[0].partition(".")[0] for key in manifest.objects}
    existing = {each["Key"] for prefix in prefixes for each in list_objects(bucket, prefix, s3=s3)}
    missing = sorted(set(manifest.objects) - existing)
    if missing:
        raise TrainingRequestError(
            f"{len(missing)} of {len(manifest.objects)} staged objects are missing from s3://{bucket}, such as "
            f"{', '.join(missing[:MAX_NAMES_SHOWN])}: {advice}"
        )
    unlisted = sorted(filter(is_training_shard, existing - set(manifest.objects)))
    if unlisted:
        raise TrainingRequestError(
            f"training jobs would also read {counted(len(unlisted), 'shard')} in s3://{bucket} that {MANIFEST} does "
            f"not list, such as {', '.join(unlisted[:MAX_NAMES_SHOWN])}: {advice}, which deletes unlisted shards"
        )


def upload_packages(request: TrainingRequest, directory: Path, *, s3: Any) -> None:
    """Upload the Python packages that the job and its model contain, if `brings_packages` is true.

    Parameters
    ----------
    directory : folder to which the packages are downloaded before the upload
    """
    config = request.config
    if brings_packages(request.algorithm, config):
        print("uploading the Python packages of the containers")
        packages.upload(directory, config.bucket, config.packages_prefix, s3=s3)


def parse_settings(text: str) -> dict[str, str]:
    """Parse hyperparameters from a text of NAME=VALUE pairs that are separated by spaces.

    Raises
    ------
    TrainingRequestError
        The text contains something other than NAME=VALUE, or a name occurs twice.

    Examples
    --------
    >>> parse_settings("epochs=3 image_shape=3,28,28")
    {'epochs': '3', 'image_shape': '3,28,28'}
    """
    found: dict[str, str] = {}
    for setting in text.split():
        name, separator, value = setting.partition("=")
        if not separator or not name or not value:
            raise TrainingRequestError(f"a hyperparameter must be NAME=VALUE, such as epochs=3 (got {setting!r})")
        if name in found:
            raise TrainingRequestError(f"hyperparameter {name} is set twice, to {found[name]} and {value}: set it once")
        found[name] = value
    return found
