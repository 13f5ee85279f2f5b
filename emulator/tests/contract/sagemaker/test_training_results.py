"""Training jobs that fail, are stopped or reach their time limit."""

import pytest
from botocore.exceptions import ClientError

from sagelocal.core.process import start_time

from ...waiting import eventually
from .resources import TRAINING_LOGS, SageMaker, channel


def test_failure_reason_contains_the_failure_file(sagemaker: SageMaker) -> None:
    # GIVEN a program that writes a long failure file and an output, and fails
    program = (
        "import os, pathlib; pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('no wheels ' * 200); "
        "pathlib.Path(os.environ['SM_OUTPUT_DATA_DIR'], 'seen.json').write_text('1'); raise SystemExit(3)"
    )
    # WHEN
    name = sagemaker.start_training(program=program)
    job = sagemaker.wait_for_training(name)
    # THEN
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("AlgorithmError: no wheels no wheels")
    assert job["FailureReason"].endswith(", exit code: 3")
    assert len(job["FailureReason"]) <= 1024
    assert "ModelArtifacts" not in job
    assert sagemaker.list_keys(f"models/{name}/") == [f"models/{name}/output/output.tar.gz"]


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(1)", 1), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137)],
    ids=["exit", "killed"],
)
def test_failure_reason_without_failure_file_has_only_the_exit_code(
    sagemaker: SageMaker, program: str, code: int
) -> None:
    # WHEN
    job = sagemaker.wait_for_training(sagemaker.start_training(program=program))
    # THEN
    assert job["FailureReason"] == f"AlgorithmError: , exit code: {code}"


def test_empty_channel_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    uri = f"s3://{sagemaker.bucket}/nothing/"
    job = sagemaker.wait_for_training(sagemaker.start_training(InputDataConfig=[channel("train", uri)]))
    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(
        f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}"'
    )


def test_missing_bucket_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.wait_for_training(
        sagemaker.start_training(InputDataConfig=[channel("train", "s3://missing-bucket/x")])
    )
    # THEN
    assert job["FailureReason"].startswith("ClientError: Data download failed:")
    assert "NoSuchBucket" in job["FailureReason"]


def test_image_without_a_command_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.wait_for_training(sagemaker.start_training(AlgorithmSpecification={"TrainingImage": "unknown:7"}))
    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert "unknown:7" in job["FailureReason"]
    assert "images file" in job["FailureReason"]


def test_stopped_job_uploads_the_model_that_it_saves(sagemaker: SageMaker) -> None:
    # GIVEN a program that saves its model after SIGTERM
    program = (
        "import os, pathlib, signal, time; "
        "save = lambda *_: (pathlib.Path(os.environ['SM_MODEL_DIR'], 'm.json').write_text('7'), os._exit(1)); "
        "signal.signal(signal.SIGTERM, save); print('ready'); time.sleep(60)"
    )
    name = sagemaker.start_training(program=program)
    eventually(lambda: sagemaker.read_log(TRAINING_LOGS, f"{name}/algo-1-"))
    # WHEN
    sagemaker.client.stop_training_job(TrainingJobName=name)
    job = sagemaker.wait_for_training(name)
    # THEN
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    statuses = [each["Status"] for each in job["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    assert "FailureReason" not in job
    assert sagemaker.read_json(job["ModelArtifacts"]["S3ModelArtifacts"], "m.json") == 7


def test_completed_job_cannot_be_stopped(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_training(program="pass")
    sagemaker.wait_for_training(name)
    # WHEN / THEN
    with pytest.raises(ClientError, match=r"ValidationException.*status Completed"):
        sagemaker.client.stop_training_job(TrainingJobName=name)


def test_job_is_stopped_at_its_time_limit(sagemaker: SageMaker) -> None:
    # WHEN
    name = sagemaker.start_training(program="import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = sagemaker.wait_for_training(name)
    # THEN
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["TrainingTimeInSeconds"] < 10


def test_child_processes_are_ended_with_the_job(sagemaker: SageMaker) -> None:
    # GIVEN a program that exits while its child process sleeps
    program = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(child.pid)"
    )
    # WHEN
    name = sagemaker.start_training(program=program)
    assert sagemaker.wait_for_training(name)["TrainingJobStatus"] == "Completed"
    # THEN
    (pid,) = sagemaker.read_log(TRAINING_LOGS, f"{name}/algo-1-")
    eventually(lambda: start_time(int(pid)) is None)
