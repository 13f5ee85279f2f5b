"""What a job is to train: the algorithm, the data, the settings; all of it checked before anything is paid for."""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

import staging
from common.stack import Stack
from scripts.command import OperatorError
from training import packages
from training.algorithms import ALGORITHMS, CONTAINER, Algorithm, Data, HyperparameterError, InstanceTypeError
from training.launch import TrainingJobConfig, brings_packages

PRETRAIN_EPOCHS = 20
PACKAGES = Path("build/packages")
NAMED = 3  # missing objects that an error names


class TrainingRequestError(OperatorError):
    """The job would fail: its settings, its data or its instances do not fit."""


@dataclass(frozen=True)
class TrainingRequest:
    """A job before it is launched.

    Attributes
    ----------
    serving_image : of the container that will serve its model
    hyperparameters : all of them, as texts
    fingerprint : names the data, the code and the settings that a model comes from
    """

    algorithm: Algorithm
    config: TrainingJobConfig
    data: Data
    manifest: staging.Manifest
    serving_image: str
    hyperparameters: dict[str, str]
    fingerprint: str

    @property
    def validation_rows(self) -> int:
        """How many images the model is judged by."""
        return self.manifest.splits["validation"].count


def options(parser: argparse.ArgumentParser) -> None:
    """Which algorithm, and its settings."""
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="pytorch", help="which one trains (pytorch)")
    parser.add_argument(
        "--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE", help="hyperparameters (the recipe's)"
    )
    parser.add_argument("--pretrain", action="store_true", help="learn the staged other classes first")


def assign(stack: Stack, chosen: argparse.Namespace) -> TrainingRequest:
    """Settle what is to be trained.

    Raises
    ------
    TrainingRequestError
        A hyperparameter or the instance type does not fit, other classes are staged than the stack has, or what is
        staged is not in S3.
    staging.ManifestMissingError
        Nothing is staged.
    """
    s3 = boto3.client("s3", region_name=stack.region)
    manifest = staging.read_manifest(s3, stack.bucket)
    check_staged(stack, manifest, s3)
    algorithm = ALGORITHMS[chosen.algorithm]
    config = job_config_of(stack, algorithm)
    data = Data(
        classes=manifest.classes,
        rows=manifest.splits["train"].count,
        data_format=manifest.format,
        shards=manifest.shard_count("train"),
        size=manifest.image_side,
        others=manifest.has_pretraining_data,
    )
    pretrain = {"pretrained": "0", "pretrain_epochs": str(PRETRAIN_EPOCHS)} if chosen.pretrain else {}
    try:
        algorithm.check_instances(config.instance_type, config.instance_count)
        hyperparameters = algorithm.settle({**pretrain, **parse_settings(chosen.settings)}, data)
    except (HyperparameterError, InstanceTypeError) as error:
        raise TrainingRequestError(str(error)) from error
    return TrainingRequest(
        algorithm=algorithm,
        config=config,
        data=data,
        manifest=manifest,
        serving_image=stack.serving_images[algorithm.name],
        hyperparameters=hyperparameters,
        fingerprint=fingerprint_of(algorithm, config, manifest, hyperparameters),
    )


def provide(assignment: TrainingRequest) -> None:
    """Bring what a job that is cut off from any network needs to where it can reach it.

    Raises
    ------
    TrainingRequestError
        It cannot be fetched.
    """
    config = assignment.config
    if not brings_packages(assignment.algorithm, config):
        return
    print("containers have no network: their packages go with the job")
    try:
        packages.put(PACKAGES, config.bucket, s3=boto3.client("s3", region_name=config.region))
    except packages.PackagesError as error:
        raise TrainingRequestError(str(error)) from error


def job_config_of(stack: Stack, algorithm: Algorithm) -> TrainingJobConfig:
    """What Terraform laid for jobs of an algorithm."""
    return TrainingJobConfig(
        image=stack.training_images[algorithm.name],
        role_arn=stack.training_role_arn,
        kms_key_arn=stack.kms_key_arn,
        bucket=stack.bucket,
        region=stack.region,
        instance_type=stack.training_instance_types[algorithm.name],
        instance_count=stack.training_instance_count,
        spot=stack.training_spot,
        network=stack.network,
        tags=stack.tags,
        name=f"scones-{stack.environment}-vehicles",
    )


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """Hyperparameters as a person writes them.

    Raises
    ------
    TrainingRequestError
        One is not NAME=VALUE, or is there twice.

    Examples
    --------
    >>> parse_settings(["epochs=3", "image_shape=3,28,28"])
    {'epochs': '3', 'image_shape': '3,28,28'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise TrainingRequestError(f"{text!r} sets no hyperparameter: write NAME=VALUE, as in epochs=3")
        if name in found:
            raise TrainingRequestError(f"hyperparameter {name} is set twice")
        found[name] = value
    return found


def check_staged(stack: Stack, manifest: staging.Manifest, s3: Any) -> None:
    """Look whether all that the manifest names is there; a job finds out minutes later."""
    again = f"run `make stage ENV={stack.environment}`"
    if manifest.classes != stack.classes:
        raise TrainingRequestError(
            f"staged are {', '.join(manifest.classes)}, the stack has {', '.join(stack.classes)}: {again}"
        )
    prefixes = {key.partition("/")[0].partition(".")[0] for key in manifest.objects}
    there = {
        each["Key"]
        for prefix in prefixes
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=stack.bucket, Prefix=prefix)
        for each in page.get("Contents", ())
    }
    missing = sorted(set(manifest.objects) - there)
    if missing:
        raise TrainingRequestError(
            f"{len(missing)} of {len(manifest.objects)} staged objects are gone from s3://{stack.bucket}, first "
            f"{', '.join(missing[:NAMED])}: {again}"
        )


def fingerprint_of(
    algorithm: Algorithm, config: TrainingJobConfig, manifest: staging.Manifest, hyperparameters: dict[str, str]
) -> str:
    """Names the data, the code and the settings that a model comes from: the same three give the same model.

    One that brings its packages along is another than one that does not.
    """
    content = [algorithm.name, manifest.to_json()["objects"], hyperparameters, brings_packages(algorithm, config)]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for path in sorted(CONTAINER.rglob("*")) if algorithm.scripted else ():
        if path.suffix in {".py", ".txt"}:
            digest.update(path.relative_to(CONTAINER).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
