"""Train in a SageMaker job, judge the model, register it, and approve it where the environment lets a machine do so."""

import argparse
import hashlib
import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import boto3

import staging
from scripts.command import Environment, OperatorError, run_command
from scripts.files import write_json
from scripts.gate import judge_job
from scripts.registry import Version, model_in_use, put_in_use, read_versions
from scripts.stack import Stack
from training.judge import Score, Verdict, describe
from training.launch import CONTAINER, LaunchError, TrainingFailedError, TrainingJob, find, follow, launch, result
from training.register import Status, register


class TrainingError(OperatorError):
    """There is no new model, or none that may be used."""


def options(parser: argparse.ArgumentParser) -> None:
    """How long to train."""
    parser.add_argument("--epochs", type=int, help="epochs to train (the recipe's)")


def main(environment: Environment) -> None:
    """Train, unless the model in use is the one that would come out.

    Raises
    ------
    TrainingError
        The job failed, or the model may not be used.
    """
    stack = environment.stack
    manifest = staging.read_manifest(boto3.client("s3", region_name=stack.region), stack.bucket)
    hyperparameters = {"classes": ",".join(manifest["classes"])}
    if environment.options.epochs:
        hyperparameters["epochs"] = str(environment.options.epochs)
    fingerprint = fingerprint_of(manifest, hyperparameters)
    sagemaker = boto3.client("sagemaker", region_name=stack.region)
    in_use = model_in_use(stack, boto3.client("ssm", region_name=stack.region))
    versions = read_versions(stack, sagemaker)
    same = next((version for version in versions if version.properties.get("fingerprint") == fingerprint), None)
    if same:
        say_known(same, in_use, stack)
        return
    try:
        job = train(stack, hyperparameters, fingerprint)
    except (LaunchError, TrainingFailedError) as error:
        raise TrainingError(str(error)) from error
    score, verdict = judge_job(stack, job, manifest, next((each for each in versions if each.arn == in_use), None))
    print(describe(score))
    properties = {
        "fingerprint": fingerprint,
        "source": manifest["source"],
        "classes": ",".join(manifest["classes"]),
        "code": code_version(),
    }
    arn = register_model(stack, job, score, verdict, manifest, properties)
    write(environment.directory / "training.json", stack, job, score, verdict, {**properties, "model_package_arn": arn})
    if not verdict.passed:
        raise TrainingError(f"{arn} is rejected: {verdict.reason}")
    if stack.approval == "automatic":
        put_in_use(stack, arn, reason=verdict.reason)
        print(f"{arn} is approved: {verdict.reason}")
    else:
        print(f"{arn} waits for approval: `make approve ENV={stack.environment}`")


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


def train(stack: Stack, hyperparameters: dict[str, str], fingerprint: str) -> TrainingJob:
    """One job, from its start to its figures; one that was begun before and is not lost is taken up again."""
    clients = {name: boto3.client(name, region_name=stack.region) for name in ("sagemaker", "logs", "s3")}
    prefix = f"scones-{stack.environment}-vehicles"
    name = find(prefix, fingerprint, sagemaker=clients["sagemaker"]) or launch(
        image=stack.training_image,
        role_arn=stack.training_role_arn,
        bucket=stack.bucket,
        region=stack.region,
        instance_type=stack.training_instance_type,
        name=prefix,
        hyperparameters=hyperparameters,
        fingerprint=fingerprint,
    )
    print(f"training job {name}")
    return result(follow(name, sagemaker=clients["sagemaker"], logs=clients["logs"]), s3=clients["s3"])


def register_model(
    stack: Stack,
    job: TrainingJob,
    score: Score,
    verdict: Verdict,
    manifest: staging.Manifest,
    properties: dict[str, str],
) -> str:
    """A new version of the group; what the judge refused is kept as rejected."""
    status: Status = "PendingManualApproval" if verdict.passed else "Rejected"
    return register(
        job,
        score,
        sagemaker=boto3.client("sagemaker", region_name=stack.region),
        s3=boto3.client("s3", region_name=stack.region),
        group=stack.model_package_group,
        image=stack.serving_image,
        status=status,
        reason=verdict.reason,
        manifest=manifest,
        properties=properties,
    )


def fingerprint_of(manifest: staging.Manifest, hyperparameters: dict[str, str]) -> str:
    """Names the data, the code and the settings that a model comes from: the same three give the same model."""
    digest = hashlib.sha256(json.dumps([manifest["objects"], hyperparameters], sort_keys=True).encode())
    for path in sorted(CONTAINER.rglob("*")):
        if path.suffix in {".py", ".txt"}:
            digest.update(path.relative_to(CONTAINER).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def code_version() -> str:
    """The commit of this checkout, marked where files differ from it; `unknown` outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    answer = subprocess.run(command, cwd=CONTAINER, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def write(
    path: Path, stack: Stack, job: TrainingJob, score: Score, verdict: Verdict, properties: dict[str, str]
) -> None:
    """The figures, for the report."""
    content = {
        **properties,
        "job": job.name,
        "image": stack.training_image,
        "instance_type": stack.training_instance_type,
        "seconds": job.seconds,
        "metrics": job.metrics,
        "validation": {"correct": score.correct, "n": score.n, "accuracy": score.accuracy, "interval": score.interval},
        "verdict": asdict(verdict),
    }
    write_json(path, content)


if __name__ == "__main__":
    run_command(main, __doc__, options)
