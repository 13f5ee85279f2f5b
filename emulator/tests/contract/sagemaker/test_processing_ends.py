"""The end of processing jobs: exit codes, exit messages, time limits, stopping and uploaded outputs."""

from typing import Any

import pytest

from sagelocal.core.mounts import can_replace_opt

from ...waiting import eventually
from .resources import PROCESSING_LOGS, SageMaker, processing_input, processing_output

TWO_HOSTS = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}}
# A program that writes the output `first`, and waits for SIGTERM, after which it writes the output `last`
WAIT = """
import pathlib, signal, sys, time
output = pathlib.Path("/opt/ml/processing/output")
def stop(number, frame):
    (output / "last").write_text("last")
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
(output / "first").write_text("first")
print("waiting")
time.sleep(60)
"""

pytestmark = pytest.mark.skipif(not can_replace_opt(), reason="this machine does not allow mount namespaces")


def exit_with_message(text: bytes, status: int = 0) -> str:
    """Return a program that writes an exit message and the empty output `a`, and exits with a status."""
    return (
        "import pathlib, sys\n"
        f"pathlib.Path('/opt/ml/output/message').write_bytes({text!r})\n"
        "pathlib.Path('/opt/ml/processing/output/a').touch()\n"
        f"sys.exit({status})"
    )


def test_failed_job_has_exit_code_and_message_and_uploads_its_output(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.process(exit_with_message(b"no captures", 3))
    # THEN
    assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: , exit code: 3")
    assert job["ExitMessage"] == "no captures"
    assert job["ProcessingEndTime"]
    assert sagemaker.list_keys("out/") == ["out/a"]


def test_exit_message_joins_the_hosts_messages_and_has_at_most_one_kilobyte(sagemaker: SageMaker) -> None:
    # WHEN two hosts write 600 bytes each
    job = sagemaker.process(exit_with_message("é".encode() * 300), ProcessingResources=TWO_HOSTS)
    # THEN
    assert job["ProcessingJobStatus"] == "Completed"
    assert job["ExitMessage"] == "é" * 512


def test_message_that_is_not_utf_8_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.process(exit_with_message(b"\xe9"))
    # THEN
    assert sagemaker.list_keys("out/") == ["out/a"]
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: /opt/ml/output/message is not encoded in UTF-8")


def test_missing_program_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.process(None, AppSpecification={"ContainerEntrypoint": ["no-such-program"]})
    # THEN
    assert job["FailureReason"] == "AlgorithmError: , exit code: 127"
    assert sagemaker.read_log(PROCESSING_LOGS, job["ProcessingJobName"]) == [
        "no-such-program: No such file or directory"
    ]


def test_job_without_entry_point_fails_if_the_image_has_no_command(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.process(None, AppSpecification={"ImageUri": "unknown:1"})
    # THEN
    assert job["FailureReason"].startswith(
        "ClientError: the images file has no `process` command for the image unknown"
    )


def test_missing_input_fails_the_job(sagemaker: SageMaker) -> None:
    # GIVEN
    absent = processing_input("data", f"s3://{sagemaker.bucket}/absent", "/opt/ml/processing/input")
    # WHEN
    job = sagemaker.process("pass", ProcessingInputs=[absent])
    # THEN
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:No S3 objects found")


def test_output_to_a_missing_bucket_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    program = "import pathlib; pathlib.Path('/opt/ml/processing/output/a').touch()"
    job = sagemaker.process(program, ProcessingOutputConfig=processing_output("s3://absent-bucket/out"))
    # THEN
    assert job["ProcessingJobStatus"] == "Failed"
    assert "NoSuchBucket" in job["FailureReason"]


def test_output_file_whose_name_is_not_utf_8_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.process(r"open(b'/opt/ml/processing/output/\xe9', 'w')")
    # THEN
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].endswith(r"the file name '\udce9' is not encoded in UTF-8")


def test_symbolic_links_are_not_uploaded(sagemaker: SageMaker) -> None:
    # GIVEN a program that writes a file, a link to the file and a link to the file's folder
    program = """
import os, pathlib
output = pathlib.Path("/opt/ml/processing/output")
(output / "deep").mkdir()
(output / "deep" / "a").touch()
os.symlink(output / "deep" / "a", output / "link")
os.symlink(output / "deep", output / "folder")
"""
    # WHEN
    job = sagemaker.process(program)
    # THEN
    assert job["ProcessingJobStatus"] == "Completed"
    assert sagemaker.list_keys("out/") == ["out/deep/a"]


def test_continuous_output_is_uploaded_during_the_job_and_after_it_is_stopped(sagemaker: SageMaker) -> None:
    # GIVEN
    output = processing_output(f"s3://{sagemaker.bucket}/out", mode="Continuous")
    name = sagemaker.start_processing(program=WAIT, ProcessingOutputConfig=output)
    eventually(lambda: sagemaker.list_keys("out/") == ["out/first"], seconds=30)
    # WHEN
    sagemaker.client.stop_processing_job(ProcessingJobName=name)
    # THEN
    job = sagemaker.wait_for_processing(name)
    assert (job["ProcessingJobStatus"], job.get("FailureReason")) == ("Stopped", None)
    assert sagemaker.list_keys("out/") == ["out/first", "out/last"]
    with pytest.raises(sagemaker.client.exceptions.ClientError, match="is in status Stopped"):
        sagemaker.client.stop_processing_job(ProcessingJobName=name)


def test_job_is_stopped_at_its_time_limit_and_uploads_its_output(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.process(WAIT, StoppingCondition={"MaxRuntimeInSeconds": 1})
    # THEN
    assert job["ProcessingJobStatus"] == "Stopped"
    assert sagemaker.list_keys("out/") == ["out/first", "out/last"]


@pytest.mark.parametrize("failing", ["algo-1", "algo-2"])
def test_failure_of_one_host_ends_the_job_on_all_hosts(sagemaker: SageMaker, failing: str) -> None:
    # GIVEN a program that fails on one of two hosts, and sleeps for a minute on the other
    program = f"""
import json, pathlib, sys, time
host = json.loads(pathlib.Path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
sys.exit(5) if host == {failing!r} else time.sleep(60)
"""
    # WHEN
    job: dict[str, Any] = sagemaker.process(program, ProcessingResources=TWO_HOSTS)
    # THEN
    assert job["FailureReason"] == "AlgorithmError: , exit code: 5"


def test_container_that_cannot_be_started_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN an environment variable contains a null byte, which no process can receive
    job = sagemaker.process("pass", Environment={"A": "a\0b"})

    # THEN
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: the container cannot be started: embedded null byte"
