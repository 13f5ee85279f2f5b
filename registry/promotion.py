"""What becomes of a trained model: judged, registered, and approved where the environment lets a machine do so."""

import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import boto3

from common.files import write_json
from common.stack import Stack
from registry.comparison import Score, Verdict, describe
from registry.model_registry import Version, model_in_use, put_in_use
from registry.quality_gate import classes_of, judge_job
from registry.registration import Status, register
from scripts.command import OperatorError
from training.algorithms import CONTAINER
from training.follow import TrainingJob
from training.job_config import TrainingRequest
from training.launch import brings_packages, delete_checkpoints


class RejectedError(OperatorError):
    """The model may not be used."""


def adopt(
    stack: Stack, assignment: TrainingRequest, job: TrainingJob, versions: Sequence[Version], directory: Path
) -> None:
    """Judge a job's model against the bar and the model in use, register it, and put it into use where that is allowed.

    Parameters
    ----------
    versions : that are registered by now
    directory : where its figures are written, for the report

    Raises
    ------
    RejectedError
        The judge refuses it; it is registered as rejected.
    """
    s3 = boto3.client("s3", region_name=stack.region)
    in_use = model_in_use(stack, boto3.client("ssm", region_name=stack.region))
    incumbent = next((version for version in versions if version.arn == in_use), None)
    score, verdict = judge_job(stack, job, assignment.manifest, incumbent)
    print(describe(score))
    properties = {
        "fingerprint": assignment.fingerprint,
        "algorithm": assignment.algorithm.name,
        "source": assignment.manifest["source"],
        "classes_md5": classes_of(assignment.manifest),
        "code": code_version(),
    }
    status: Status = "PendingManualApproval" if verdict.passed else "Rejected"
    arn = register(
        job,
        score,
        sagemaker=boto3.client("sagemaker", region_name=stack.region),
        s3=s3,
        group=stack.model_package_group,
        image=assignment.serving_image,
        scripted=assignment.algorithm.scripted,
        brings_packages=brings_packages(assignment.algorithm, assignment.config),
        status=status,
        reason=verdict.reason,
        manifest=assignment.manifest,
        properties=properties,
    )
    delete_checkpoints(assignment.config, assignment.fingerprint, s3=s3)
    write(directory / "training.json", assignment, job, score, verdict, {**properties, "model_package_arn": arn})
    if not verdict.passed:
        raise RejectedError(f"{arn} is rejected: {verdict.reason}")
    if stack.approval == "automatic":
        put_in_use(stack, arn, reason=verdict.reason)
        print(f"{arn} is approved: {verdict.reason}")
    else:
        print(f"{arn} waits for approval: `make approve ENV={stack.environment}`")


def code_version() -> str:
    """The commit of this checkout, marked where files differ from it; `unknown` outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    answer = subprocess.run(command, cwd=CONTAINER, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def write(
    path: Path,
    assignment: TrainingRequest,
    job: TrainingJob,
    score: Score,
    verdict: Verdict,
    properties: dict[str, str],
) -> None:
    """The figures, for the report."""
    content = {
        **properties,
        "job": job.name,
        "image": assignment.config.image,
        "instance_type": assignment.config.instance_type,
        "instance_count": assignment.config.instance_count,
        "hyperparameters": assignment.hyperparameters,
        "seconds": job.seconds,
        "metrics": job.metrics,
        "validation": {"correct": score.correct, "n": score.n, "accuracy": score.accuracy, "interval": score.interval},
        "verdict": asdict(verdict),
    }
    write_json(path, content)
