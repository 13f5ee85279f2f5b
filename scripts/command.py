"""What every command shares: its environment, its errors, its way to end."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import staging
from common import aws
from common.errors import OperatorError
from common.stack import Stack
from deployment.read_stack import read_stack
from deployment.terraform import ENVIRONMENTS, Terraform
from staging import StagingError
from training.algorithms import ALGORITHMS, Algorithm
from training.job_config import TrainingRequest, check_staged, make_request, parse_settings
from training.launch import TrainingJobConfig

__all__ = ["Environment", "OperatorError", "add_training_options", "make_training_request", "run_command"]

BUILD = Path("build")
PRETRAIN_EPOCHS = 20
# Prefixes in the bucket, as in terraform/main.tf
MODELS, CHECKPOINTS, PACKAGES = "models", "checkpoints", "packages"


@dataclass(frozen=True)
class Environment:
    """One of `terraform/environments/`, and the folder where its figures land."""

    name: str
    options: argparse.Namespace

    @property
    def directory(self) -> Path:
        """`build/<environment>`, made when first asked for."""
        path = BUILD / self.name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @cached_property
    def terraform(self) -> Terraform:
        """Terraform, set to this environment's variables."""
        return Terraform(self.name, logs=self.directory)

    @cached_property
    def stack(self) -> Stack:
        """What Terraform put out: every name that a command may use.

        Raises
        ------
        StackMissingError
            Nothing is deployed.
        """
        return read_stack(self.terraform)

    def client(self, service: str) -> Any:
        """Return a boto3 client of `service` in the stack's region."""
        return aws.client(service, self.stack.region)


def run_command(
    main: Callable[[Environment], None],
    doc: str | None,
    options: Callable[[argparse.ArgumentParser], object] = lambda parser: None,
) -> None:
    """Run one command: parse `--env`, and turn every expected error into one line and exit status 1."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", choices=ENVIRONMENTS, default="local", help="which environment (local)")
    options(parser)
    arguments = parser.parse_args()
    try:
        main(Environment(arguments.env, arguments))
    except (OperatorError, StagingError, BotoCoreError, ClientError, OSError) as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command takes it up again")


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a training job."""
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="pytorch", help="training algorithm (pytorch)")
    parser.add_argument(
        "--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE", help="hyperparameters (the defaults)"
    )
    parser.add_argument("--pretrain", action="store_true", help="pretrain on the staged images of other classes")


def make_training_request(environment: Environment) -> TrainingRequest:
    """Return the training job that the options describe, checked against the staged data.

    Raises
    ------
    TrainingRequestError
        A hyperparameter or the instance type is invalid, or the staged data are incomplete or of other classes.
    staging.ManifestMissingError
        Nothing is staged.
    """
    stack, options = environment.stack, environment.options
    s3 = environment.client("s3")
    manifest = staging.read_manifest(s3, stack.bucket)
    check_staged(manifest, classes=stack.classes, bucket=stack.bucket, environment=stack.environment, s3=s3)
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
    """Return the stack's resources for training jobs of an algorithm."""
    return TrainingJobConfig(
        image=stack.training_images[algorithm.name],
        role_arn=stack.training_role_arn,
        kms_key_arn=stack.kms_key_arn,
        bucket=stack.bucket,
        models_prefix=MODELS,
        checkpoints_prefix=CHECKPOINTS,
        packages_prefix=PACKAGES,
        region=stack.region,
        instance_type=stack.training_instance_types[algorithm.name],
        instance_count=stack.training_instance_count,
        spot=stack.training_spot,
        network=stack.network,
        tags=stack.tags,
        name=f"scones-{stack.environment}-vehicles",
    )
