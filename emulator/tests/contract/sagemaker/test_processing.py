"""Processing jobs: inputs, outputs, configuration files and log of the container.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sagelocal.core.mounts import can_replace_opt

from ...waiting import eventually
from .resources import PROCESSING_LOGS, SageMaker, processing_input, processing_output

TWO_HOSTS = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}}
# A program that writes the configuration files, the content of all input files and the environment variable LEVEL to
# `<host>.json`
REPORT = """
import json, os, pathlib
root = pathlib.Path("/opt/ml")
config = {name: json.loads((root / "config" / (name + ".json")).read_text())
          for name in ("processingjobconfig", "resourceconfig")}
inputs = root / "processing" / "input"
files = {str(path.relative_to(inputs)): path.read_text() for path in inputs.rglob("*") if path.is_file()}
host = config["resourceconfig"]["current_host"]
report = {**config, "files": files, "level": os.environ.get("LEVEL")}
(root / "processing/output" / (host + ".json")).write_text(json.dumps(report))
print("I am", host)
"""

pytestmark = pytest.mark.skipif(not can_replace_opt(), reason="this machine does not allow mount namespaces")


def read_report(sagemaker: SageMaker, host: str = "algo-1") -> Any:
    """Return what REPORT wrote on a host."""
    return json.loads(sagemaker.download(f"s3://{sagemaker.bucket}/out/{host}.json"))


def test_container_receives_inputs_configuration_and_environment_variables(sagemaker: SageMaker) -> None:
    # GIVEN an input with two objects, and an input with one object
    sagemaker.upload("data/a.csv", "1")
    sagemaker.upload("data/deep/b.csv", "2")
    sagemaker.upload("code/run.py", "pass")
    inputs = [
        processing_input("data", f"s3://{sagemaker.bucket}/data", "/opt/ml/processing/input/data"),
        processing_input("code", f"s3://{sagemaker.bucket}/code/run.py", "/opt/ml/processing/input/code"),
    ]
    # WHEN
    job = sagemaker.process(REPORT, ProcessingInputs=inputs, Environment={"LEVEL": "3"})
    # THEN
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    found, name = read_report(sagemaker), job["ProcessingJobName"]
    assert found["files"] == {"data/a.csv": "1", "data/deep/b.csv": "2", "code/run.py": "pass"}
    assert found["level"] == "3"
    assert found["resourceconfig"] == {"current_host": "algo-1", "hosts": ["algo-1"]}
    config = found["processingjobconfig"]
    assert (config["ProcessingJobName"], config["ProcessingJobArn"]) == (name, job["ProcessingJobArn"])
    assert config["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert config["AppSpecification"] == {"ContainerArguments": None, **job["AppSpecification"]}
    assert config["ProcessingInputs"][0]["S3Input"]["S3DataDistributionType"] == "FullyReplicated"
    assert sagemaker.read_log(PROCESSING_LOGS, f"{name}/algo-1-") == ["I am algo-1"]


def test_each_host_receives_a_shard_and_uploads_to_the_same_prefix(sagemaker: SageMaker) -> None:
    # GIVEN a manifest that lists three of four objects
    manifest: list[Any] = [{"prefix": f"s3://{sagemaker.bucket}/data/"}, "a", "b", "c"]
    for name in "abcd":
        sagemaker.upload(f"data/{name}", name)
    uri = sagemaker.upload("lists/first.manifest", json.dumps(manifest))
    sharded_manifest = {"S3DataType": "ManifestFile", "S3DataDistributionType": "ShardedByS3Key"}
    inputs = [
        processing_input("some", uri, "/opt/ml/processing/input/some", **sharded_manifest),
        processing_input("all", f"s3://{sagemaker.bucket}/data/", "/opt/ml/processing/input/all"),
    ]
    # WHEN
    job = sagemaker.process(REPORT, ProcessingInputs=inputs, ProcessingResources=TWO_HOSTS)
    # THEN
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    for host, shard in (("algo-1", "ac"), ("algo-2", "b")):
        found = read_report(sagemaker, host)
        assert found["resourceconfig"] == {"current_host": host, "hosts": ["algo-1", "algo-2"]}
        assert found["files"].keys() == {f"some/{name}" for name in shard} | {f"all/{name}" for name in "abcd"}


def test_simultaneous_jobs_do_not_share_files(sagemaker: SageMaker) -> None:
    # GIVEN a program that writes a file, and waits until both jobs have written a file with this path
    program = """
import os, pathlib, time
import boto3
mine, s3 = os.environ["NAME"], boto3.client("s3")
path = pathlib.Path("/opt/ml/processing/output/name")
path.write_text(mine)
s3.put_object(Bucket=os.environ["BUCKET"], Key="started/" + mine)
while s3.list_objects_v2(Bucket=os.environ["BUCKET"], Prefix="started/")["KeyCount"] < 2:
    time.sleep(0.05)
assert path.read_text() == mine
"""
    names = ("first", "second")
    # WHEN two jobs run the program at the same time
    jobs = [
        sagemaker.start_processing(
            program=program,
            Environment={"NAME": name, "BUCKET": sagemaker.bucket},
            ProcessingOutputConfig=processing_output(f"s3://{sagemaker.bucket}/{name}"),
        )
        for name in names
    ]
    # THEN
    assert {sagemaker.wait_for_processing(job)["ProcessingJobStatus"] for job in jobs} == {"Completed"}
    assert [sagemaker.download(f"s3://{sagemaker.bucket}/{name}/name").decode() for name in names] == list(names)
    assert not Path("/opt/ml/processing/output/name").exists()


def test_program_in_the_container_calls_the_emulator(sagemaker: SageMaker, topic_and_queue: tuple[str, str]) -> None:
    # GIVEN a program that publishes a metric, stores an object and publishes a message
    topic, queue = topic_and_queue
    program = """
import os
import boto3
data = [{"MetricName": "shift", "Value": 0.5}]
boto3.client("cloudwatch").put_metric_data(Namespace=os.environ["BUCKET"], MetricData=data)
boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="history/a.json", Body=b"{}")
boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message="shifted")
"""
    # WHEN
    job = sagemaker.process(program, Environment={"BUCKET": sagemaker.bucket, "TOPIC": topic})
    # THEN
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    client = sagemaker.emulator.client
    assert client("cloudwatch").list_metrics(Namespace=sagemaker.bucket)["Metrics"][0]["MetricName"] == "shift"
    assert sagemaker.list_keys("history/") == ["history/a.json"]
    (message,) = eventually(lambda: client("sqs").receive_message(QueueUrl=queue).get("Messages"))
    assert message["Body"] == "shifted"


def test_job_with_the_inference_image_can_import_the_packages_of_the_emulator(sagemaker: SageMaker) -> None:
    # GIVEN a script that imports packages of the emulator's own Python environment
    code = "import onnxruntime, numpy, PIL, pathlib\npathlib.Path('/opt/ml/processing/output/done').touch()"
    uri = sagemaker.upload("code/drift.py", code)
    # WHEN
    job = sagemaker.process(
        None,
        AppSpecification={
            "ImageUri": "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312",
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/drift.py"],
        },
        ProcessingInputs=[processing_input("code", uri, "/opt/ml/processing/input/code")],
    )
    # THEN
    assert job["ProcessingJobStatus"] == "Completed", sagemaker.read_log(PROCESSING_LOGS, job["ProcessingJobName"])
    assert sagemaker.list_keys("out/") == ["out/done"]


def test_job_without_an_entry_point_runs_the_command_of_the_image(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.process(None, AppSpecification={"ContainerArguments": ["--days", "7"]})
    # THEN
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    seen = json.loads(sagemaker.download(f"s3://{sagemaker.bucket}/out/seen.json"))
    assert seen == {
        "arguments": ["process", "--days", "7"],
        "files": ["config/processingjobconfig.json", "config/resourceconfig.json"],
    }
