"""What every command shares: its environment, its errors, its way to end."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from common import aws
from common.errors import OperatorError
from common.stack import Stack
from deployment.read_stack import read_stack
from deployment.terraform import ENVIRONMENTS, Terraform
from deployment.unmanaged_resources import batch_name
from registry.batch_transform import TransformConfig
from registry.model_registry import ModelRegistry
from registry.quality_gate import QualityGate
from staging import StagingError

__all__ = ["Environment", "OperatorError", "run_command"]

BUILD = Path("build")
TRANSFORM_PREFIX = "transform"  # in the bucket, as in terraform/main.tf


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

    @cached_property
    def model_registry(self) -> ModelRegistry:
        """The environment's model registry."""
        return ModelRegistry(
            self.name,
            self.stack.model_package_group,
            self.stack.approved_model_path,
            sagemaker=self.client("sagemaker"),
            ssm=self.client("ssm"),
        )

    @property
    def transform_config(self) -> TransformConfig:
        """The settings of the environment's batch transform jobs."""
        return TransformConfig(
            name_prefix=batch_name(self.stack.environment),
            bucket=self.stack.bucket,
            output_prefix=TRANSFORM_PREFIX,
            role_arn=self.stack.transform_role_arn,
            kms_key_arn=self.stack.kms_key_arn,
            instance_type=self.stack.transform_instance_type,
            tags=self.stack.tags,
            network=self.stack.model_network,
        )

    @property
    def quality_gate(self) -> QualityGate:
        """The environment's quality gate."""
        return QualityGate(
            self.stack.minimum_accuracy,
            self.transform_config,
            sagemaker=self.client("sagemaker"),
            s3=self.client("s3"),
        )


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
