"""Batch executions on the emulator, with the definition that Terraform renders and the real function code."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from common.errors import OperatorError
from deployment.tools import find_terraform
from evaluation.batches import BatchConfig, download, follow, keys_input, manifest_input, prefix_input, resume, start
from scripts.package import package
from tests.support.emulator import MODEL_SERVER, Emulator
from tests.support.project import ROOT, unique
from tests.support.sagemaker import ROLE, SageMaker
from tests.support.waiting import eventually

STATES_ROLE = "arn:aws:iam::123456789012:role/states"
SETTINGS = {"batch_size": 4, "max_concurrency": 2, "tolerated_failure_percentage": 30}
UNUSUAL_KEYS = ["test/a+b.png", "test/a%2Fb.png", "test/a#b c.png", "test/自転車.png"]


@dataclass(frozen=True)
class Batches:
    """A deployed state machine for batch executions, and clients of its account."""

    config: BatchConfig
    account: Emulator

    @property
    def s3(self) -> Any:
        """The S3 client."""
        return self.account.client("s3")

    @property
    def states(self) -> Any:
        """The Step Functions client."""
        return self.account.client("stepfunctions")

    def put(self, *keys: str, body: bytes = b"image") -> None:
        """Store an object with the given body under each key."""
        for key in keys:
            self.s3.put_object(Bucket=self.config.bucket, Key=key, Body=body)

    def run(self, source: dict[str, Any], tmp_path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Run an execution, and return the execution's summary and the result line of each image."""
        summary = follow(start(source, self.config, states=self.states), self.config, states=self.states)
        return summary, self.lines(summary, tmp_path)

    def lines(self, summary: dict[str, Any], tmp_path: Path) -> list[dict[str, Any]]:
        """Download the results of an execution, and return the result line of each image."""
        download(summary, tmp_path / "batch.jsonl", s3=self.s3)
        return [json.loads(line) for line in (tmp_path / "batch.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def deployed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Batches:
    """The state machine and its functions, deployed without Terraform's provider."""
    directory = tmp_path_factory.mktemp("batch")
    bucket, endpoint = unique("bucket"), deploy_endpoint(emulator, directory)
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    environment = {
        "ENDPOINT_NAME": endpoint,
        "CLASS_NAMES": '["bicycle", "motorcycle"]',
        "THRESHOLD": "0.93",
        "IMAGE_PREFIXES": '["test"]',
    }
    arns = {name: deploy_function(emulator, name, environment, directory) for name in ("classify_batch", "summarize")}
    machine = emulator.client("stepfunctions").create_state_machine(
        name=unique("batch"), definition=render(bucket, arns, directory), roleArn=STATES_ROLE
    )["stateMachineArn"]
    return Batches(BatchConfig("local", machine, bucket, ("test",), "batch"), emulator)


def deploy_endpoint(emulator: Emulator, directory: Path) -> str:
    """Deploy a model that is confident about every image, and return the endpoint's name."""
    client, name = emulator.client("sagemaker"), unique("endpoint")
    bucket = unique("models")
    emulator.client("s3").create_bucket(Bucket=bucket)
    data = SageMaker(emulator, bucket).put_model_data("[0.99, 0.01]")
    container = {"Image": MODEL_SERVER, "ModelDataUrl": data}
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "one", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    eventually(lambda: client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    return name


def deploy_function(emulator: Emulator, name: str, environment: dict[str, str], directory: Path) -> str:
    """Create a Lambda function from a directory in `lambdas/`, and return the function's ARN."""
    archive = directory / f"{name}.zip"
    package(ROOT / "lambdas" / name, archive)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = emulator.client("iam").create_role(
        RoleName=unique(name.replace("_", "-")),
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    created = emulator.client("lambda").create_function(
        FunctionName=unique(name),
        Runtime="python3.12",
        Role=role["Role"]["Arn"],
        Handler="handler.handler",
        Code={"ZipFile": archive.read_bytes()},
        Timeout=60,
        MemorySize=1024,
        Environment={"Variables": environment},
    )
    return str(created["FunctionArn"])


def render(bucket: str, function_arns: dict[str, str], directory: Path) -> str:
    """Return the state machine definition that Terraform renders; the Terraform module needs no provider."""
    module = directory / "definition"
    shutil.copytree(ROOT / "terraform" / "modules" / "batch_definition", module)
    variables = {
        "bucket_name": bucket,
        "image_prefixes": ["test"],
        "batch_prefix": "batch",
        "function_arns": function_arns,
        "settings": SETTINGS,
    }
    (module / "terraform.tfvars.json").write_text(json.dumps(variables))
    for arguments in (["init"], ["apply", "-auto-approve"], ["output", "-raw", "json"]):
        result = subprocess.run(
            [find_terraform(), *arguments, "-no-color"], cwd=module, capture_output=True, text=True, check=True
        )
    return result.stdout


@pytest.fixture
def batches(deployed: Batches, request: pytest.FixtureRequest) -> Batches:
    """The deployed state machine, whose bucket contains no images."""
    listed = deployed.s3.list_objects_v2(Bucket=deployed.config.bucket, Prefix="test/").get("Contents", [])
    for stored in listed:
        deployed.s3.delete_object(Bucket=deployed.config.bucket, Key=stored["Key"])
    return deployed


def test_every_object_below_a_prefix_has_one_result_line(batches: Batches, tmp_path: Path) -> None:
    # GIVEN images below a prefix, one of which the model rejects, an empty object, and an image below another prefix
    images = [f"test/{number}.png" for number in range(9)] + UNUSUAL_KEYS
    batches.put(*images)
    batches.put("test/bad.png", body=b"bad")
    batches.put("test/empty.png", body=b"")
    batches.put("other/image.png")

    # WHEN
    summary, lines = batches.run(prefix_input("test", batches.config, s3=batches.s3), tmp_path)

    # THEN every object below the prefix has a result line, and only the rejected image and the empty object have failed
    assert sorted(line["key"] for line in lines) == sorted([*images, "test/bad.png", "test/empty.png"])
    assert {line["key"]: line["error"] for line in lines if line["outcome"] == "failed"} == {
        "test/bad.png": "ImageInvalidError",
        "test/empty.png": "ImageInvalidError",
    }
    assert {name: summary[name] for name in ("images", "classified", "low-confidence", "failed", "errors")} == {
        "images": 15,
        "classified": 13,
        "low-confidence": 0,
        "failed": 2,
        "errors": {"ImageInvalidError": 2},
    }
    name = summary["execution"].rpartition(":")[2]
    stored = batches.s3.get_object(Bucket=batches.config.bucket, Key=f"batch/{name}/summary.json")["Body"].read()
    assert json.loads(stored) == summary


def test_images_of_manifests_and_key_lists_are_classified(batches: Batches, tmp_path: Path) -> None:
    # GIVEN a JSON Lines manifest with an item without a key, a CSV manifest with a key that is not below the prefix,
    # and a list with the key of a missing object
    batches.put(*UNUSUAL_KEYS)
    lines = tmp_path / "keys.jsonl"
    lines.write_text(
        "".join(f"{json.dumps(item)}\n" for item in [*({"Key": key} for key in UNUSUAL_KEYS), {"Name": "x"}])
    )
    table = tmp_path / "keys.csv"
    table.write_text("Size,Key\n" + "".join(f"1,{key}\n" for key in [*UNUSUAL_KEYS, "models/model.tar.gz"]))
    sources = [
        manifest_input(str(lines), batches.config, s3=batches.s3),
        manifest_input(str(table), batches.config, s3=batches.s3),
        keys_input("test/a+b.png test/a%2Fb.png 'test/a#b c.png' test/自転車.png test/missing.png", batches.config),
    ]

    # WHEN
    results = [batches.run(source, tmp_path) for source in sources]

    # THEN
    assert [(summary["classified"], summary["errors"]) for summary, _ in results] == [
        (4, {"KeyInvalidError": 1}),
        (4, {"KeyInvalidError": 1}),
        (4, {"ImageMissingError": 1}),
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ({}, "InputInvalidError"),
        ({"prefix": "models/"}, "InputInvalidError"),
        ({"prefix": "test/", "keys": ["test/a"]}, "InputInvalidError"),
        ({"keys": []}, "InputInvalidError"),
        ({"keys": "test/a"}, "InputInvalidError"),
        ({"manifest": "test/keys.jsonl"}, "InputInvalidError"),
        ({"manifest": "batch/manifests/missing.jsonl"}, "States.ItemReaderFailed"),
        ({"manifest": "batch/manifests/broken.jsonl"}, "States.ItemReaderFailed"),
    ],
)
def test_execution_with_invalid_input_fails_with_an_error_name(
    batches: Batches, source: dict[str, Any], error: str
) -> None:
    # GIVEN
    batches.put("batch/manifests/broken.jsonl", body=b'{"Key": "test/a"}\n{"Key": \n')

    # WHEN / THEN
    with pytest.raises(OperatorError, match=error):
        follow(start(source, batches.config, states=batches.states), batches.config, states=batches.states)


def test_resumed_execution_does_not_repeat_written_batches(batches: Batches, tmp_path: Path) -> None:
    # GIVEN an execution that is stopped after some of its batches were written
    batches.put(*(f"test/{number:02}.png" for number in range(40)))
    arn = start(prefix_input("test", batches.config, s3=batches.s3), batches.config, states=batches.states)
    name = arn.rpartition(":")[2]
    predictions = {"Bucket": batches.config.bucket, "Prefix": f"batch/{name}/predictions/"}
    before = eventually(lambda: batches.s3.list_objects_v2(**predictions).get("Contents", []))
    batches.states.stop_execution(executionArn=arn)
    with pytest.raises(OperatorError, match=f"is ABORTED .*make batch RESUME={name} ENV=local"):
        follow(arn, batches.config, states=batches.states)

    # WHEN the execution is resumed by its name
    resumed, redriven = resume(name, batches.config, states=batches.states)
    assert resumed == arn
    summary = follow(arn, batches.config, redriven=redriven, states=batches.states)

    # THEN every image has one result line, and no result that existed before was written again
    assert summary["classified"] == 40
    assert len({line["key"] for line in batches.lines(summary, tmp_path)}) == 40
    versions = batches.s3.list_object_versions(**predictions)["Versions"]
    written = [version["Key"] for version in versions]
    assert all(written.count(stored["Key"]) == 1 for stored in before)

    # AND for an execution that has succeeded, `resume` only returns the ARN
    assert resume(name, batches.config, states=batches.states) == (arn, None)


def test_failed_batches_are_in_the_summary_or_fail_the_execution_if_there_are_too_many(
    batches: Batches, tmp_path: Path
) -> None:
    # GIVEN an execution in which one of five batches fails, because its existing result object is invalid
    keys = [f"test/{number:02}.png" for number in range(20)]
    batches.put(*keys)
    name = unique("damaged")
    damage(batches, name, keys[4:8])
    tolerated = start_named(batches, name, keys)
    # AND an execution in which two batches fail, which exceeds the tolerated percentage
    other = unique("damaged")
    damaged = [damage(batches, other, keys[:4]), damage(batches, other, keys[4:8])]
    exceeding = start_named(batches, other, keys)

    # WHEN
    summary = follow(tolerated, batches.config, states=batches.states)
    with pytest.raises(OperatorError, match=r"States\.ExceedToleratedFailureThreshold"):
        follow(exceeding, batches.config, states=batches.states)

    # THEN each image of the failed batch has a result line with the batch's error
    assert (summary["classified"], summary["failed"], summary["errors"]) == (16, 4, {"KeyError": 4})
    failed = {line["key"] for line in batches.lines(summary, tmp_path) if line.get("error") == "KeyError"}
    assert failed == set(keys[4:8])
    # AND the execution that failed succeeds when it is resumed after the invalid objects are deleted
    for key in damaged:
        batches.s3.delete_object(Bucket=batches.config.bucket, Key=key)
    _, redriven = resume(other, batches.config, states=batches.states)
    assert follow(exceeding, batches.config, redriven=redriven, states=batches.states)["classified"] == 20


def start_named(batches: Batches, name: str, keys: list[str]) -> str:
    """Start a named execution for a list of keys, and return the execution's ARN."""
    started = batches.states.start_execution(
        stateMachineArn=batches.config.state_machine_arn, name=name, input=json.dumps({"keys": keys})
    )
    return str(started["executionArn"])


def damage(batches: Batches, name: str, keys: list[str]) -> str:
    """Store a result object without `counts`, so that classify_batch fails with a KeyError, and return its key."""
    key = f"batch/{name}/predictions/{hashlib.sha256(json.dumps(keys).encode()).hexdigest()}.jsonl"
    batches.put(key, body=b"")
    return key
