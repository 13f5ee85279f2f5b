"""Train in a SageMaker job, judge the model, register it, and approve it where the environment lets a machine do so.

The algorithm is `pytorch`, our own trainer, or `image-classification`, SageMaker's built-in one. Hyperparameters that
are not set are the recipe's.
"""

from collections.abc import Sequence

import boto3

from common.stack import Stack
from registry.model_registry import Version, model_in_use, read_versions
from registry.promotion import adopt
from scripts.command import Environment, OperatorError, add_training_options, make_training_request, run_command
from training.follow import TrainingFailedError, TrainingJob, follow, read_result
from training.job_config import TrainingRequest, upload_packages
from training.launch import LaunchError, find_training_job, launch


class TrainingError(OperatorError):
    """There is no new model."""


def main(environment: Environment) -> None:
    """Train, unless there is the model that would come out.

    Raises
    ------
    TrainingError
        The job failed, or the same model was rejected before.
    registry.promotion.RejectedError
        The model may not be used.
    """
    stack = environment.stack
    assignment = make_training_request(environment)
    versions = read_versions(stack, boto3.client("sagemaker", region_name=stack.region))
    if is_known(stack, assignment, versions):
        return
    try:
        job = train(assignment)
    except (LaunchError, TrainingFailedError) as error:
        raise TrainingError(str(error)) from error
    adopt(stack, assignment, job, versions, environment.directory)


def is_known(stack: Stack, assignment: TrainingRequest, versions: Sequence[Version]) -> bool:
    """Whether there is the model that would come out, of which a person is then told.

    Raises
    ------
    TrainingError
        It was rejected.
    """
    known = (version for version in versions if version.properties.get("fingerprint") == assignment.fingerprint)
    same = next(known, None)
    if same:
        say_known(same, model_in_use(stack, boto3.client("ssm", region_name=stack.region)), stack)
    return same is not None


def say_known(version: Version, in_use: str | None, stack: Stack) -> None:
    """There is a model from this data, code and settings: a person has the next word on it.

    Raises
    ------
    TrainingError
        It was rejected, and the same would come out again.
    """
    if version.status == "Rejected":
        raise TrainingError(
            f"{version.name} comes from this data, code and settings, and is rejected: "
            f"{version.approval or version.judged}"
        )
    print(f"nothing to train: {version.name} comes from this data, code and settings")
    if version.arn != in_use:
        print(f"it is not in use: `make approve MODEL={version.number} ENV={stack.environment}`")


def train(assignment: TrainingRequest) -> TrainingJob:
    """One job, from its start to its figures; one that was begun before and is not lost is taken up again."""
    config = assignment.config
    clients = {name: boto3.client(name, region_name=config.region) for name in ("sagemaker", "logs", "s3")}
    upload_packages(assignment, s3=clients["s3"])
    name = find_training_job(config.name, assignment.fingerprint, sagemaker=clients["sagemaker"]) or launch(
        assignment.algorithm, config, assignment.data, assignment.hyperparameters, assignment.fingerprint
    )
    print(f"training job {name}")
    ended = follow(name, sagemaker=clients["sagemaker"], logs=clients["logs"])
    return read_result(ended, validation_images=assignment.data.validation_images, s3=clients["s3"])


if __name__ == "__main__":
    run_command(main, __doc__, add_training_options)
