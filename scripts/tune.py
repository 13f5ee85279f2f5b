"""Tune hyperparameters in a SageMaker tuning job; its best model is judged, registered and approved as by `make train`.

Hyperparameters that are set stay as they are; the others that matter most are searched for.
"""

import argparse
import hashlib
import json
from dataclasses import replace

import boto3

from registry.model_registry import read_versions
from registry.promotion import adopt
from scripts.command import Environment, OperatorError, add_training_options, make_training_request, run_command
from scripts.train import is_known
from training.algorithms import Range
from training.errors import TrainingRequestError
from training.follow import TrainingFailedError, TrainingJob, read_result
from training.job_config import TrainingRequest, parse_settings, upload_packages
from training.launch import LaunchError
from training.tuning import TuningFailedError, competitors, find_tuning, follow_tuning, launch_tuning

JOBS, PARALLEL = 6, 2


class TuningError(OperatorError):
    """There is no new model."""


def options(parser: argparse.ArgumentParser) -> None:
    """What to train, and how often."""
    add_training_options(parser)
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"training jobs in all ({JOBS})")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help=f"training jobs at once ({PARALLEL})")


def main(environment: Environment) -> None:
    """Tune, and adopt the best model.

    Raises
    ------
    TuningError
        The job failed.
    TrainingRequestError
        What is asked for does not fit.
    registry.promotion.RejectedError
        The best model may not be used.
    scripts.train.TrainingError
        It was rejected before.
    """
    stack, asked = environment.stack, environment.options
    if not 1 <= asked.parallel <= asked.jobs:
        raise TrainingRequestError(
            f"{asked.parallel} training jobs at once of {asked.jobs} in all: at least 1, at most all"
        )
    assignment = make_training_request(environment)
    fixed = parse_settings(asked.settings)
    ranges = [each for each in assignment.algorithm.ranges(assignment.hyperparameters) if each.name not in fixed]
    if not ranges:
        raise TrainingRequestError("everything that is searched for is set: leave something to tune")
    versions = read_versions(stack, boto3.client("sagemaker", region_name=stack.region))
    try:
        job, tuned = tune(assignment, ranges, asked.jobs, asked.parallel)
    except (LaunchError, TuningFailedError, TrainingFailedError) as error:
        raise TuningError(str(error)) from error
    best = with_settings(assignment, tuned)
    if not is_known(stack, best, versions):
        adopt(stack, best, job, versions, environment.directory)


def tune(
    assignment: TrainingRequest, ranges: list[Range], jobs: int, parallel: int
) -> tuple[TrainingJob, dict[str, str]]:
    """One tuning job, from its start to the best of its training jobs and the hyperparameters found for it."""
    config = assignment.config
    sagemaker = boto3.client("sagemaker", region_name=config.region)
    s3 = boto3.client("s3", region_name=config.region)
    upload_packages(assignment, s3=s3)
    fingerprint = name_tuning(assignment, ranges, jobs)
    name = find_tuning(config.name, fingerprint, sagemaker=sagemaker) or launch_tuning(
        assignment.algorithm,
        config,
        assignment.data,
        assignment.hyperparameters,
        ranges,
        fingerprint=fingerprint,
        jobs=jobs,
        parallel=parallel,
    )
    print(f"tuning job {name}: {', '.join(each.name for each in ranges)} by {assignment.algorithm.objective}")
    best, tuned = follow_tuning(name, sagemaker=sagemaker)
    print(f"best is {best}")
    described = sagemaker.describe_training_job(TrainingJobName=best)
    job = read_result(described, validation_images=assignment.data.validation_images, s3=s3)
    return replace(job, best_of=competitors(name, sagemaker=sagemaker)), tuned


def name_tuning(assignment: TrainingRequest, ranges: list[Range], jobs: int) -> str:
    """Names the data, the code, the settings and the ranges that a tuning job searches."""
    content = [assignment.fingerprint, repr(ranges), jobs]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def with_settings(assignment: TrainingRequest, tuned: dict[str, str]) -> TrainingRequest:
    """The assignment of the job that was found best."""
    return replace(assignment, hyperparameters={**assignment.hyperparameters, **tuned})


if __name__ == "__main__":
    run_command(main, __doc__, options)
