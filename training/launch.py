"""Launch a training job through the SageMaker SDK, of either algorithm."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError
from pydantic import ValidationError

from common.stack import Network
from training import packages
from training.algorithms import CONTAINER, Algorithm, Channel, Data, channels

HERE = Path(__file__).resolve().parent
RECENT = 20  # jobs among which one is looked for
FINGERPRINT = "SCONES_FINGERPRINT"
MAX_SECONDS = 3600  # after which the job is stopped: nothing may train, and bill, for ever
MAX_WAIT_SECONDS = 2 * MAX_SECONDS  # with what a job on spot instances may wait for them
CHECKPOINTS = "checkpoints"


REFUSALS = (ClientError, ParamValidationError, ValidationError)  # of SageMaker, of boto3, of the SDK


class LaunchError(Exception):
    """The job cannot be started."""


@dataclass(frozen=True)
class TrainingJobConfig:
    """What a job stands on.

    Attributes
    ----------
    image : URI of the container image that trains
    kms_key_arn : encrypts what the job leaves
    name : first part of the job's name
    network : None where containers may reach any
    tags : by which what the job costs is told apart
    instance_count : hosts; with more than one they train one model together
    spot : whether to train on instances that may be taken away, for less
    """

    image: str
    role_arn: str
    kms_key_arn: str
    bucket: str
    region: str
    instance_type: str
    instance_count: int
    spot: bool
    name: str
    tags: Mapping[str, str]
    network: Network | None = None


def launch(
    algorithm: Algorithm, config: TrainingJobConfig, data: Data, hyperparameters: Mapping[str, str], fingerprint: str
) -> str:
    """Start a job on the staged data.

    Parameters
    ----------
    hyperparameters : as the algorithm settled them
    fingerprint : names what the job's model comes from, so that `find` can find the job, and a job that was killed
        is gone on with

    Returns
    -------
    str
        The job's name.

    Raises
    ------
    LaunchError
        SageMaker refuses it; the message says what to do.
    """
    trainer = make_trainer(algorithm, config, hyperparameters, fingerprint, resumes=True)
    try:
        trainer.train(
            input_data_config=input_channels(algorithm, config, data, hyperparameters), wait=False, logs=False
        )
    except REFUSALS as error:
        raise LaunchError(explain(error)) from error
    started: str = trainer._latest_training_job.training_job_name
    return started


def make_trainer(
    algorithm: Algorithm,
    config: TrainingJobConfig,
    hyperparameters: Mapping[str, str],
    fingerprint: str,
    *,
    resumes: bool,
) -> Any:
    """The SDK's trainer; for our own algorithm in script mode, with the code in `container/`.

    Parameters
    ----------
    resumes : whether the job goes on where one with the same fingerprint was killed
    """
    for variable in ("SAGEMAKER_USER_CONFIG_OVERRIDE", "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"):
        os.environ.setdefault(variable, str(HERE / "sagemaker_config.yaml"))
    # it would simulate the role with actions of a network that our role has no use for, and refuse it
    os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")
    # two seconds and a gigabyte of packages: imported only by whoever trains
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.shapes import CheckpointConfig, StoppingCondition, Tag
    from sagemaker.core.training.configs import Compute, Networking, OutputDataConfig
    from sagemaker.train import ModelTrainer

    for noisy in ("sagemaker.config", "sagemaker.core.utils.utils", "sagemaker.train"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # what it says there, this command says in its own words
    trainer = ModelTrainer(
        sagemaker_session=Session(boto_session=boto3.Session(region_name=config.region), default_bucket=config.bucket),
        role=config.role_arn,
        base_job_name=config.name,
        input_s3_key_prefix="models",
        training_image=config.image,
        compute=Compute(
            instance_type=config.instance_type,
            instance_count=config.instance_count,
            enable_managed_spot_training=config.spot,
        ),
        output_data_config=OutputDataConfig(
            s3_output_path=f"s3://{config.bucket}/models", kms_key_id=config.kms_key_arn
        ),
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=MAX_SECONDS,
            **({"max_wait_time_in_seconds": MAX_WAIT_SECONDS} if config.spot else {}),
        ),
        hyperparameters=dict(hyperparameters),
        environment={FINGERPRINT: fingerprint, **(packages.TRAINING if brings_packages(algorithm, config) else {})},
        networking=Networking(
            subnets=list(config.network.subnet_ids) if config.network else None,
            security_group_ids=list(config.network.security_group_ids) if config.network else None,
            enable_network_isolation=config.network is not None,
            # hosts tell each other what they learned of the data
            enable_inter_container_traffic_encryption=config.instance_count > 1,
        ),
        tags=[Tag(key=key, value=value) for key, value in config.tags.items()],
        # the built-in algorithm takes them up too: https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
        checkpoint_config=CheckpointConfig(s3_uri=checkpoints(config.bucket, fingerprint)) if resumes else None,
        **(script(config) if algorithm.scripted else {}),
    )
    return trainer.with_metric_definitions(metric_definitions(algorithm)) if algorithm.metrics else trainer


def script(config: TrainingJobConfig) -> dict[str, Any]:
    """What the trainer needs beside for code of our own."""
    from sagemaker.core.training.configs import SourceCode
    from sagemaker.train.distributed import Torchrun

    # on a host with several GPUs the driver starts a process for each, which only the host can count
    several = config.instance_count > 1 or "-gpu-" in config.image
    code = SourceCode(
        source_dir=str(CONTAINER),
        entry_script="train.py",
        requirements="requirements.txt",
        ignore_patterns=["__pycache__", ".mypy_cache", ".ruff_cache"],
    )
    return {
        "source_code": code,
        "distributed": Torchrun() if several else None,
    }


def brings_packages(algorithm: Algorithm, config: TrainingJobConfig) -> bool:
    """Whether a job and its model are given the packages that they could not fetch themselves."""
    return algorithm.scripted and config.network is not None


def checkpoints(bucket: str, fingerprint: str) -> str:
    """Where jobs for the same model keep how far they are."""
    return f"s3://{bucket}/{CHECKPOINTS}/{fingerprint}"


def forget(bucket: str, fingerprint: str, *, s3: Any) -> None:
    """Delete the checkpoints of a job that has ended well."""
    prefix = f"{CHECKPOINTS}/{fingerprint}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        keys = [{"Key": each["Key"]} for each in page.get("Contents", ())]
        if keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def input_channels(
    algorithm: Algorithm, config: TrainingJobConfig, data: Data, hyperparameters: Mapping[str, str]
) -> list[Any]:
    """The input channels, as the SDK has them."""
    from sagemaker.core import shapes

    found = channels(algorithm, data, config.instance_count, hyperparameters)
    if brings_packages(algorithm, config):
        found.append(Channel(packages.CHANNEL, f"{packages.CHANNEL}/", "application/zip"))
    return [
        shapes.Channel(
            channel_name=channel.name,
            data_source=shapes.DataSource(
                s3_data_source=shapes.S3DataSource(
                    s3_data_type="S3Prefix",
                    s3_uri=f"s3://{config.bucket}/{channel.key}",
                    s3_data_distribution_type="ShardedByS3Key" if channel.sharded else "FullyReplicated",
                )
            ),
            content_type=channel.content_type,
        )
        for channel in found
    ]


def metric_definitions(algorithm: Algorithm) -> list[Any]:
    """How SageMaker finds the figures of each epoch in the log."""
    from sagemaker.core.shapes import MetricDefinition

    return [MetricDefinition(name=name, regex=regex) for name, regex in algorithm.metrics.items()]


def find(name: str, fingerprint: str, *, sagemaker: Any) -> str | None:
    """A job that is under way or done for the same model, so that nothing is trained, and billed, twice.

    Parameters
    ----------
    name : first part of the job's name
    """
    listed = sagemaker.list_training_jobs(
        NameContains=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=RECENT
    )["TrainingJobSummaries"]
    for job in listed:
        if job["TrainingJobStatus"] in ("InProgress", "Completed"):
            found: str = job["TrainingJobName"]
            described = sagemaker.describe_training_job(TrainingJobName=found)
            if described.get("Environment", {}).get(FINGERPRINT) == fingerprint:
                return found
    return None


def explain(error: Exception) -> str:
    """One line on why SageMaker, or its SDK before it is asked, refused, and what to do."""
    if not isinstance(error, ClientError):
        return f"SageMaker's SDK refuses the job: {' '.join(str(error).split())}"
    said = error.response["Error"].get("Message", str(error))
    if error.response["Error"].get("Code") == "ResourceLimitExceeded":
        return f"{said} Ask for more under Service Quotas, SageMaker, or set another training_instance_type."
    return f"SageMaker refuses the job: {said}"
