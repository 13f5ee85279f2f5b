"""Where an answer comes from: its model's version, the training job, the data with their checksums, the code, figures.

EXECUTION is an execution's ARN or name, MODEL a version (3, v3 or its ARN); without either, the model in use.
"""

import argparse
import hashlib
import json
import textwrap
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

from common.stack import Stack
from evaluation.executions import find_in_output
from registry.comparison import describe
from registry.model_registry import Version, find_version, model_in_use, read_versions
from scripts.command import Environment, OperatorError, run_command

WIDTH = 80
INDENT = 12
THREADS = 8  # below botocore's default pool of 10 connections
CHUNK = 2**20
MAX_MANIFEST_BYTES = 2**28
NAMED = 5


class LineageError(OperatorError):
    """The way back breaks off."""


@dataclass(frozen=True)
class Answer:
    """What an execution answered, and the version that did."""

    arn: str
    status: str
    model_version: str
    key: str
    probabilities: list[float]


def options(parser: argparse.ArgumentParser) -> None:
    """Whose origin, and whether to read the data again."""
    parser.add_argument("--execution", default="", help="an execution's ARN or name")
    parser.add_argument("--model", default="", help="a version (3, v3 or its ARN)")
    parser.add_argument("--verify", action="store_true", help="read all objects and compare their checksums")


def main(environment: Environment) -> None:
    """Print the way back.

    Raises
    ------
    LineageError
        There is no such execution, it has no answer, no model is in use, or data are not what they were.
    registry.model_registry.VersionMissingError
        The registry does not have the version.
    """
    stack, asked = environment.stack, environment.options
    clients = {
        name: boto3.client(name, region_name=stack.region) for name in ("sagemaker", "stepfunctions", "ssm", "s3")
    }
    in_use = model_in_use(stack, clients["ssm"])
    answer = find_answer(stack, asked.execution, clients["stepfunctions"]) if asked.execution else None
    name = answer.model_version if answer else asked.model or in_use
    if name is None:
        raise LineageError(f"no model is in use: run `make train ENV={stack.environment}`, or name one by MODEL")
    version = find_version(read_versions(stack, clients["sagemaker"]), name)
    job = clients["sagemaker"].describe_training_job(TrainingJobName=version.properties["training_job"])
    manifest = read_manifest(version, clients["s3"])
    rows = [
        *(answer_rows(answer, stack) if answer else ()),
        *model_rows(version, version.arn == in_use),
        *job_rows(job, version),
        *data_rows(manifest, version),
    ]
    print("\n".join(line for title, text in rows for line in lines(title, text)))
    if asked.verify:
        print(verify(manifest, stack, clients["s3"]))


def find_answer(stack: Stack, execution: str, states: Any) -> Answer:
    """What an execution answered, also one that failed at the threshold.

    Raises
    ------
    LineageError
        There is no such execution, or the endpoint gave it no answer.
    """
    machine = stack.state_machine_arn.replace(":stateMachine:", ":execution:")
    arn = execution if execution.startswith("arn:") else f"{machine}:{execution}"
    try:
        found = states.describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ExecutionDoesNotExist", "InvalidArn"):
            raise
        raise LineageError(f"there is no execution {execution!r}") from error
    version = find_in_output(states, arn, found.get("output"), "model_version")
    if version is None:
        raise LineageError(f"{execution} is {found['status']}, and no model answered in it: {found.get('error')}")
    if version == "unknown":
        raise LineageError(f"{execution}: the model that answered does not say its version: name one by MODEL")
    return Answer(
        arn=arn,
        status=found.get("error") or found["status"],
        model_version=version,
        key=json.loads(found["input"]).get("s3_key", "no key"),
        probabilities=find_in_output(states, arn, found.get("output"), "inferences"),
    )


def read_manifest(version: Version, s3: Any) -> dict[str, Any]:
    """The manifest that was kept beside the model, held against the checksum in the registry.

    Raises
    ------
    LineageError
        It is gone, or another.
    """
    url = version.properties.get("manifest")
    if url is None:
        raise LineageError(f"{version.name} was registered without the manifest of its data")
    address = urlsplit(url)
    try:
        body = s3.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"].read(MAX_MANIFEST_BYTES)
    except s3.exceptions.NoSuchKey:
        raise LineageError(f"the manifest of {version.name} is gone: {url}") from None
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != version.properties["manifest_md5"]:
        raise LineageError(f"the manifest of {version.name} is not the one that was registered: {url}")
    manifest: dict[str, Any] = json.loads(body)
    return manifest


Rows = Iterator[tuple[str, str]]


def answer_rows(answer: Answer, stack: Stack) -> Rows:
    """The execution."""
    best = max(answer.probabilities)
    yield "answer", f"{stack.classes[answer.probabilities.index(best)]} at {best:.4f} for {answer.key}"
    yield "", f"{answer.status}, by {answer.model_version}"
    yield "", answer.arn


def model_rows(version: Version, in_use: bool) -> Rows:
    """The version of the registry."""
    yield "model", f"{version.name}, {version.status}{', in use' if in_use else ''}, {version.registered:%F %T} UTC"
    yield "", version.arn
    yield "", version.model_data_url
    yield "judge", version.judged
    yield "approval", version.approved_by


def job_rows(job: Mapping[str, Any], version: Version) -> Rows:
    """The training job and its code."""
    resources = job["ResourceConfig"]
    ended, seconds = job.get("TrainingEndTime"), job.get("TrainingTimeInSeconds")
    yield "job", f"{job['TrainingJobName']}, {job['TrainingJobStatus']}"
    if ended:
        yield "", f"{job['TrainingStartTime']:%F %T} to {ended:%F %T} UTC, {seconds or 0} s"
    yield "", f"{resources['InstanceCount']} x {resources['InstanceType']}"
    yield "", str(job["AlgorithmSpecification"].get("TrainingImage", "no image"))
    # the SDK adds its own, and quotes the others
    given = {key: str(value).strip('"') for key, value in job["HyperParameters"].items() if "sagemaker_" not in key}
    yield "settings", " ".join(f"{key}={value}" for key, value in sorted(given.items()))
    yield "code", version.properties.get("code", "unknown")
    yield "figures", describe(version.score)


def data_rows(manifest: Mapping[str, Any], version: Version) -> Rows:
    """The data."""
    yield "data", manifest["source"]
    yield "", f"archive md5 {manifest['source_md5']}, seed {manifest['seed']}"
    for split, counted in manifest["splits"].items():
        classes = counted["per_class"]
        each = ", ".join(f"{name} {count}" for name, count in list(classes.items())[:NAMED])
        yield "", f"{split} {counted['count']}: {each}{', ...' if len(classes) > NAMED else ''}"
    objects = manifest["objects"]
    yield "", f"{len(objects)} objects, {sum(stored['size'] for stored in objects.values())} bytes, each with its md5:"
    yield "", version.properties["manifest"]


def lines(title: str, text: str) -> list[str]:
    """A row on the terminal; only what has no space in it may be wider."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{title:<{INDENT}}",
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def verify(manifest: Mapping[str, Any], stack: Stack, s3: Any) -> str:
    """Read every object of the manifest, and compare.

    Raises
    ------
    LineageError
        One is gone, or has other bytes.
    """
    objects = manifest["objects"]

    def is_same(key: str) -> bool:
        try:
            body = s3.get_object(Bucket=stack.bucket, Key=key)["Body"]
        except s3.exceptions.NoSuchKey:
            return False
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in body.iter_chunks(CHUNK):
            digest.update(chunk)
        return bool(digest.hexdigest() == objects[key]["md5"])

    with ThreadPoolExecutor(THREADS) as pool:
        changed = [key for key, same in zip(objects, pool.map(is_same, objects), strict=True) if not same]
    if changed:
        raise LineageError(
            f"{len(changed)} of {len(objects)} objects in s3://{stack.bucket} are gone or not what the model was "
            f"trained on, first {', '.join(changed[:NAMED])}"
        )
    return f"{'verified':<{INDENT}}all {len(objects)} objects in S3 are still what they were"


if __name__ == "__main__":
    run_command(main, __doc__, options)
