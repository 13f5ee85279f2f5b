"""The environment that a command works on, with its stack, AWS clients and stores."""

import argparse
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from common import aws
from common.locks import exclusive
from common.stack import Stack
from common.times import Window, parse_window
from deployment.endpoint_lifetime import EndpointLifetime
from deployment.read_stack import read_stack
from deployment.settings import read_settings
from deployment.terraform import Terraform
from evaluation.history import History, Kind
from evaluation.review.entries import ReviewStore
from registry.batch_transform import TransformConfig
from registry.model_registry import ModelRegistry, read_version
from registry.quality_gate import QualityGate
from registry.trained_classes import check_classes

BUILD = Path("build")
LOCK_TIMEOUT_SECONDS = 120.0  # Terraform waits equally long for the lock of its state


@dataclass(frozen=True)
class Environment:
    """An environment that `terraform/environments/` defines.

    Attributes
    ----------
    name : name of the environment, such as `dev`
    options : parsed options of the command
    """

    name: str
    options: argparse.Namespace

    @property
    def directory(self) -> Path:
        """The directory `build/<environment>` for results, which is created if it is missing."""
        path = BUILD / self.name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def lock(self, target: str, resource: str = "terraform") -> AbstractContextManager[None]:
        """Return a context in which `make <target>` is the only command of this clone that uses a resource.

        The lock also excludes commands on other environments, because all environments use the same image archives and
        the same Terraform root module, in which commands write files for one environment.

        Parameters
        ----------
        resource : name of the lock, such as `terraform` or `stage`
        """
        return exclusive(BUILD / f"{resource}.lock", f"make {target} ENV={self.name}", timeout=LOCK_TIMEOUT_SECONDS)

    @cached_property
    def terraform(self) -> Terraform:
        """Terraform for this environment."""
        return Terraform(self.name, logs=self.directory)

    @cached_property
    def stack(self) -> Stack:
        """The deployed stack.

        Raises
        ------
        StackMissingError
            The environment is not deployed.
        """
        return read_stack(self.terraform)

    @cached_property
    def configured_classes(self) -> tuple[str, ...]:
        """The classes in the environment's settings.

        After a change of the setting `classes`, they differ from the deployed stack's classes until a model that was
        trained on the new classes is deployed.
        """
        return tuple(read_settings(self.name)["classes"])

    @cached_property
    def window(self) -> Window:
        """The time range that the options SINCE and UNTIL select, by default the last seven days.

        Raises
        ------
        TimeRangeError
            An option is invalid, or the range is empty or starts in the future.
        """
        return parse_window(self.options.since, self.options.until)

    @property
    def history(self) -> History:
        """The history of the environment's results."""
        return History(self.stack.bucket, self.stack.history_prefix, self.name, self.client("s3"))

    def append_history(
        self, kind: Kind, figures: Mapping[str, Any], *, model: str | None, window: Window | None = None
    ) -> None:
        """Add a result to the history, or print a warning if that fails.

        The command does not fail in this case, because it has already written the result to a file.
        """
        try:
            self.history.append(kind, figures, model=model, window=window)
        except (BotoCoreError, ClientError) as error:
            reason = " ".join(str(error).split())
            print(f"warning: the result is not in the history, so trends will lack it: {reason}", file=sys.stderr)

    def client(self, service: str) -> Any:
        """Return a boto3 client for a service in the stack's region."""
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
    def endpoint_lifetime(self) -> EndpointLifetime:
        """The lifetime of the environment's endpoint."""
        return EndpointLifetime(
            self.name,
            self.stack.endpoint_name,
            self.stack.endpoint_schedule,
            self.stack.endpoint_lifetime_parameter,
            scheduler=self.client("scheduler"),
            ssm=self.client("ssm"),
            sagemaker=self.client("sagemaker"),
        )

    @property
    def transform_config(self) -> TransformConfig:
        """The settings of the environment's batch transform jobs."""
        return TransformConfig(
            name_prefix=self.stack.transform_job_prefix,
            bucket=self.stack.bucket,
            output_prefix=self.stack.transform_prefix,
            role_arn=self.stack.transform_role_arn,
            kms_key_arn=self.stack.kms_key_arn,
            instance_type=self.stack.transform_instance_type,
            tags=self.stack.tags,
            network=self.stack.model_network,
        )

    @property
    def review_store(self) -> ReviewStore:
        """The bucket and the key prefixes of the images to review and of the reviewers' answers."""
        stack = self.stack
        return ReviewStore(
            stack.bucket, stack.review_prefix, stack.labels_prefix, s3=self.client("s3"), classes=stack.classes
        )

    @property
    def quality_gate(self) -> QualityGate:
        """The environment's quality gate."""
        return QualityGate(
            self.stack.minimum_accuracy,
            self.transform_config,
            sagemaker=self.client("sagemaker"),
            s3=self.client("s3"),
            logs=self.client("logs"),
        )


def check_deployed_classes(environment: Environment, model_package_arn: str) -> None:
    """Check that a registered model was trained on the classes of the deployed stack.

    Raises
    ------
    ClassesDifferError
        The model's classes differ from the stack's.
    """
    check_classes(
        read_version(model_package_arn, sagemaker=environment.client("sagemaker")),
        environment.stack.classes,
        where="the deployed stack",
        advice=f"run `make deploy ENV={environment.name}`",
    )
