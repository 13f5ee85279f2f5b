"""Launch training jobs through the SageMaker SDK."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from pydantic import ValidationError

from common import aws
from common.errors import OperatorError
from common.stack import Network
from training import packages
from training.algorithms import CONTAINER, Algorithm, Channel, StagedData, channels

SDK_CONFIG = Path(__file__).resolve().parent / "sagemaker_config.yaml"
RECENT = 20  # number of latest jobs that are searched for a job with the same fingerprint
FINGERPRINT = "SCONES_FINGERPRINT"  # environment variable of a job that contains its fingerprint
MAX_SECONDS = 3600  # training time after which SageMaker stops a job, so that its cost is limited
MAX_WAIT_SECONDS = 2 * MAX_SECONDS  # limit of the training time plus the waiting time for spot instances
# exceptions that boto3 and the SageMaker SDK raise if a request is invalid or rejected
REFUSALS = (ClientError, ParamValidationError, ValidationError)


class LaunchError(OperatorError):
    """SageMaker or its SDK rejected a job."""


@dataclass(frozen=True)
class TrainingJobConfig:
    """The AWS resources and instances of training jobs.

    Attributes
    ----------
    image : URI of the training container image
    role_arn : IAM role of a job
    kms_key_arn : ARN of the KMS key that encrypts a job's output
    models_prefix, checkpoints_prefix, packages_prefix : S3 key prefixes of models, checkpoints and Python packages,
        without a slash at the end
    bundle_packages : whether jobs and models contain the Python packages that they need, instead of installing
        packages from a package index
    instance_count : number of hosts that train one model together
    spot : whether to use spot instances, which are cheaper and may be interrupted
    name : prefix of the jobs' names, without the dash after the prefix
    tags : AWS tags of a job, for cost allocation
    network : subnets and security groups of a job without internet access, or None for a job with internet access
    """

    image: str
    role_arn: str
    kms_key_arn: str
    bucket: str
    models_prefix: str
    checkpoints_prefix: str
    packages_prefix: str
    bundle_packages: bool
    region: str
    instance_type: str
    instance_count: int
    spot: bool
    name: str
    tags: Mapping[str, str]
    network: Network | None = None


def launch(
    algorithm: Algorithm,
    config: TrainingJobConfig,
    data: StagedData,
    hyperparameters: Mapping[str, str],
    fingerprint: str,
) -> str:
    """Start a training job on the staged data and return its name.

    Parameters
    ----------
    hyperparameters : all hyperparameters of the job
    fingerprint : hash of the job's data, code and hyperparameters. `find_training_job` finds the job by its
        fingerprint, and a later job with the same fingerprint resumes from the job's checkpoints

    Raises
    ------
    LaunchError
        SageMaker or its SDK rejected the job.
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
    """Return the SDK's ModelTrainer, which can launch the job. It uses script mode if the algorithm is scripted.

    Parameters
    ----------
    resumes : whether the job resumes from the checkpoints of an earlier job with the same fingerprint
    """
    for variable in ("SAGEMAKER_USER_CONFIG_OVERRIDE", "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"):
        os.environ.setdefault(variable, str(SDK_CONFIG))
    # Otherwise the SDK checks whether the role has network permissions, which this role does not need.
    os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")
    # imported here, because importing the SDK takes two seconds
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.shapes import CheckpointConfig, StoppingCondition, Tag
    from sagemaker.core.training.configs import Compute, Networking, OutputDataConfig
    from sagemaker.train import ModelTrainer

    for logger in ("sagemaker.config", "sagemaker.core.utils.utils", "sagemaker.train"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    session = Session(boto_session=aws.session(config.region), default_bucket=config.bucket)
    # The built-in algorithm also resumes from checkpoints:
    # https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
    checkpoints = CheckpointConfig(s3_uri=f"s3://{config.bucket}/{config.checkpoints_prefix}/{fingerprint}")
    trainer = ModelTrainer(
        sagemaker_session=session,
        role=config.role_arn,
        base_job_name=config.name,
        input_s3_key_prefix=config.models_prefix,
        training_image=config.image,
        compute=Compute(
            instance_type=config.instance_type,
            instance_count=config.instance_count,
            enable_managed_spot_training=config.spot,
        ),
        output_data_config=OutputDataConfig(
            s3_output_path=f"s3://{config.bucket}/{config.models_prefix}", kms_key_id=config.kms_key_arn
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
            # hosts exchange gradients, which reveal training data
            enable_inter_container_traffic_encryption=config.instance_count > 1,
        ),
        tags=[Tag(key=key, value=value) for key, value in config.tags.items()],
        checkpoint_config=checkpoints if resumes else None,
        **(script_mode(config) if algorithm.scripted else {}),
    )
    return trainer.with_metric_definitions(metric_definitions(algorithm)) if algorithm.metrics else trainer


def script_mode(config: TrainingJobConfig) -> dict[str, Any]:
    """Return the arguments with which the SDK's ModelTrainer runs the code in container/."""
    from sagemaker.core.training.configs import SourceCode
    from sagemaker.train.distributed import Torchrun

    # torchrun starts a process for each GPU of a host; the number of GPUs is not known here
    distributed = config.instance_count > 1 or "-gpu-" in config.image
    code = SourceCode(
        source_dir=str(CONTAINER),
        entry_script="train.py",
        requirements="requirements.txt",
        ignore_patterns=["__pycache__", ".mypy_cache", ".ruff_cache"],
    )
    return {"source_code": code, "distributed": Torchrun() if distributed else None}


def brings_packages(algorithm: Algorithm, config: TrainingJobConfig) -> bool:
    """Return whether a job and its model contain the Python packages that AWS's images lack."""
    return algorithm.scripted and config.bundle_packages


def delete_checkpoints(config: TrainingJobConfig, fingerprint: str, *, s3: Any) -> None:
    """Delete the checkpoints of a completed job with this fingerprint."""
    prefix = f"{config.checkpoints_prefix}/{fingerprint}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=config.bucket, Prefix=prefix):
        keys = [{"Key": each["Key"]} for each in page.get("Contents", ())]
        if keys:
            s3.delete_objects(Bucket=config.bucket, Delete={"Objects": keys, "Quiet": True})


def input_channels(
    algorithm: Algorithm, config: TrainingJobConfig, data: StagedData, hyperparameters: Mapping[str, str]
) -> list[Any]:
    """Return the input channels of a job as objects of the SageMaker SDK."""
    from sagemaker.core import shapes

    found = channels(algorithm, data, config.instance_count, hyperparameters)
    if brings_packages(algorithm, config):
        found.append(Channel(packages.CHANNEL, f"{config.packages_prefix}/", "application/zip"))
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
    """Return the definitions with which SageMaker reads metrics from the training log."""
    from sagemaker.core.shapes import MetricDefinition

    return [MetricDefinition(name=name, regex=regex) for name, regex in algorithm.metrics.items()]


def find_training_job(name: str, fingerprint: str, *, sagemaker: Any) -> str | None:
    """Return the name of the latest running or completed job with this fingerprint, or None if there is no such job.

    Parameters
    ----------
    name : prefix of the jobs' names
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
    """Return one line that says why SageMaker or its SDK rejected a job, and what to do about it."""
    if not isinstance(error, ClientError):
        return f"the SageMaker SDK refused the job: {' '.join(str(error).split())}"
    message = aws.error_message(error)
    if aws.error_code(error) == "ResourceLimitExceeded":
        return (
            f"{message} Request a higher quota under Service Quotas, SageMaker, or set another training_instance_type."
        )
    return f"SageMaker refused the job: {message}"
