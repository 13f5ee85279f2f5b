"""What all commands share: options, the environment with its stack and clients, and error messages."""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from common import aws
from common.errors import OperatorError
from common.locks import exclusive
from common.stack import Stack
from common.times import Window, parse_window
from deployment.endpoint_lifetime import EndpointLifetime
from deployment.read_stack import read_stack
from deployment.settings import read_settings
from deployment.terraform import ENVIRONMENTS, Terraform
from evaluation.capture_location import CaptureLocation, find_captures
from evaluation.history import History, Kind
from evaluation.review.entries import ReviewStore
from registry.batch_transform import TransformConfig
from registry.model_registry import ModelRegistry, find_version, read_version
from registry.quality_gate import QualityGate
from registry.trained_classes import check_classes
from staging.manifest import read_manifest
from training.algorithms import ALGORITHMS, Algorithm
from training.job_config import TrainingRequest, check_staged, make_request, parse_settings
from training.launch import TrainingJobConfig

BUILD = Path("build")
LOCK_TIMEOUT_SECONDS = 120.0  # Terraform waits equally long for the lock of its state
PRETRAIN_EPOCHS = 20

Options = Callable[[argparse.ArgumentParser], object]  # adds a command's own options


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
            An option is invalid, or the range is in the future.
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

        This is not an error, because the command has already written the result to a file.
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
            self.stack.endpoint_name,
            self.stack.endpoint_schedule,
            self.stack.endpoint_lifetime_parameter,
            scheduler=self.client("scheduler"),
            ssm=self.client("ssm"),
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


class Parser(argparse.ArgumentParser):
    """A parser whose errors have one line and name an option as `make` does: `HOURS` instead of `--hours`."""

    def error(self, message: str) -> NoReturn:
        """Print an error and exit."""
        named = re.sub(r"^argument --([a-z]+):", lambda match: match[1].upper(), message)
        text = re.sub(r"invalid choice: (.*) \(choose from (.*)\)", r"must be one of \2 (got \1)", named)
        self.exit(2, f"error: {' '.join(text.split())}\n")


def whole_number(example: int, *, high: float = math.inf) -> Callable[[str], int]:
    """Return a parser of whole numbers from 1 to `high`, for the argument `type` of `add_argument`.

    Parameters
    ----------
    example : a valid number, for the error message
    """
    allowed = "of at least 1" if math.isinf(high) else f"between 1 and {high:g}"

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = 0
        if not 1 <= number <= high:
            raise argparse.ArgumentTypeError(f"must be a whole number {allowed}, such as {example} (got {text!r})")
        return number

    return parse


def proportion(example: float, *, below_one: bool = False) -> Callable[[str], float]:
    """Return a parser of numbers above 0 and at most 1, for the argument `type` of `add_argument`.

    Parameters
    ----------
    example : a valid number, for the error message
    below_one : whether the number 1 is invalid
    """
    allowed = f"above 0 and {'below' if below_one else 'at most'} 1"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= 1 or (below_one and value == 1):
            raise argparse.ArgumentTypeError(f"must be a number {allowed}, such as {example:g} (got {text!r})")
        return value

    return parse


def run_command(main: Callable[[Environment], None], doc: str | None, options: Options = lambda parser: None) -> None:
    """Run a command on the environment that the option `--env` names.

    Parameters
    ----------
    main : runs the command
    doc : docstring of the command's module, which `--help` prints
    options : adds the command's own options to the parser
    """

    def add_options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--env", choices=ENVIRONMENTS, default="local", help="environment (default: local)")
        options(parser)

    run(lambda arguments: main(Environment(arguments.env, arguments)), doc, add_options)


def run(main: Callable[[argparse.Namespace], None], doc: str | None, options: Options = lambda parser: None) -> None:
    """Run a command, and print an expected error in one line, or with its traceback if `--debug` or DEBUG=1 is set.

    The parameters are those of `run_command`, but `main` receives the parsed options.
    """
    parser = Parser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error, as does DEBUG=1")
    arguments = parser.parse_args()
    try:
        main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the program that reads the output, such as `head`, has ended
        # Python writes buffered output when it exits: discard it, because it would raise the same error again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OperatorError, BotoCoreError, ClientError, OSError, KeyboardInterrupt) as error:
        if arguments.debug or os.environ.get("DEBUG") == "1":
            raise
        if isinstance(error, KeyboardInterrupt):
            sys.exit(f"interrupted: {str(error) or 'run the same command again to continue'}")
        sys.exit(f"error: {explain(error, getattr(arguments, 'env', 'local'))}")


def explain(error: BaseException, environment: str) -> str:
    """Return a one-line error message: the likely cause if it is outside this command, or the error's own message.

    Likely causes are an AWS endpoint (AWS_ENDPOINT_URL) that does not respond and an unreadable credentials file.
    """
    if url := aws.unreachable_endpoint():
        return (
            f"nothing responds at {url} (AWS_ENDPOINT_URL): the emulator that ran there has ended, and its resources "
            f"are lost. Run `make up ENV={environment}`"
        )
    if isinstance(error, NoCredentialsError) and (files := aws.unreadable_files()):
        return f"no AWS credentials, because {files[0]} cannot be read: run `chmod u+r {files[0]}`"
    return " ".join(str(error).split())


def add_time_range(parser: argparse.ArgumentParser) -> None:
    """Add the options `--since` and `--until`, from which `Environment.window` is read."""
    parser.add_argument("--since", default="", help="start of the time range, such as 24h or 2026-03-01 (default: 7d)")
    parser.add_argument("--until", default="", help="end of the time range, such as 2026-03-02T12:00 (default: now)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the option `--model`, the version of the model whose captures are read."""
    parser.add_argument("--model", default="", help="version of the model, such as 3 (default: the model in use)")


def find_location(environment: Environment, model: str = "") -> CaptureLocation | None:
    """Return the location of a model's captures, or None if the endpoint captures no data.

    Parameters
    ----------
    model : version of the model, such as `3` or `v3`; empty for the model in use
    """
    stack = environment.stack
    location = find_captures(
        stack.endpoint_name,
        stack.endpoint_config_name,
        stack.data_capture_uri,
        environment=environment.name,
        sagemaker=environment.client("sagemaker"),
    )
    return location.of_model(model) if location and model else location


def check_model(environment: Environment, location: CaptureLocation) -> None:
    """Check that the model is registered, and was trained on the classes of the deployed stack.

    Raises
    ------
    OperatorError
        The model is not registered, or was trained on other classes than the deployed stack's.
    """
    version = find_version(environment.model_registry.versions(), location.model)
    is_deployed = location.endpoint_config is not None
    advice = f"run `make deploy ENV={environment.name}`" if is_deployed else "choose another MODEL"
    check_classes(version, environment.stack.classes, where="the deployed stack", advice=advice)


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
    """Return the training job that the options describe, after checking that the staged data fit.

    Raises
    ------
    TrainingRequestError
        A hyperparameter or the instance type is invalid, the staged data are incomplete, or their classes differ from
        the environment's settings.
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
