"""Options that describe a training job, and the training request that is made from them."""

import argparse

from common.stack import Stack
from scripts.command.environment import Environment
from staging.manifest import read_manifest
from training.algorithms import ALGORITHMS, Algorithm
from training.job_config import TrainingRequest, check_staged, make_request, parse_settings
from training.launch import TrainingJobConfig

PRETRAIN_EPOCHS = 20


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a training job."""
    parser.add_argument(
        "--algorithm", choices=ALGORITHMS, default="pytorch", help="training algorithm (default: pytorch)"
    )
    parser.add_argument(
        "--set",
        dest="settings",
        default="",
        metavar="'NAME=VALUE ...'",
        help="hyperparameters that differ from their defaults",
    )
    parser.add_argument("--pretrain", action="store_true", help="pretrain on the staged images of other classes")


def make_training_request(environment: Environment) -> TrainingRequest:
    """Check the staged data, and return the request for the training job that the options describe.

    Raises
    ------
    TrainingRequestError
        A hyperparameter or the instance type is invalid, the staged data are incomplete, their classes differ from the
        environment's settings, or there are shards that the manifest does not list.
    ManifestMissingError
        No data are staged.
    """
    stack, options = environment.stack, environment.options
    s3 = environment.client("s3")
    manifest = read_manifest(stack.bucket, s3=s3)
    check_staged(
        manifest, classes=environment.configured_classes, bucket=stack.bucket, environment=stack.environment, s3=s3
    )
    algorithm = ALGORITHMS[options.algorithm]
    pretrain = {"pretrained": "0", "pretrain_epochs": str(PRETRAIN_EPOCHS)} if options.pretrain else {}
    return make_request(
        algorithm,
        training_job_config(stack, algorithm),
        manifest,
        {**pretrain, **parse_settings(options.settings)},
        serving_image=stack.serving_images[algorithm.name],
    )


def training_job_config(stack: Stack, algorithm: Algorithm) -> TrainingJobConfig:
    """Return the configuration of an algorithm's training jobs, which comes from the stack."""
    return TrainingJobConfig(
        image=stack.training_images[algorithm.name],
        role_arn=stack.training_role_arn,
        kms_key_arn=stack.kms_key_arn,
        bucket=stack.bucket,
        models_prefix=stack.models_prefix,
        checkpoints_prefix=stack.checkpoints_prefix,
        packages_prefix=stack.packages_prefix,
        bundle_packages=stack.bundle_packages,
        region=stack.region,
        instance_type=stack.training_instance_types[algorithm.name],
        instance_count=stack.training_instance_count,
        spot=stack.training_spot,
        network=stack.network,
        tags=stack.tags,
        name=stack.training_job_prefix,
    )
