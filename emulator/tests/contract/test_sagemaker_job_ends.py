"""How training jobs end: failed, stopped, out of time, with all that they started."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagelocal.core.process import start_time

from .sagemaker_parts import (
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .waiting import eventually

GROUP = "/aws/sagemaker/TrainingJobs"


def channel(name: str, uri: str, **source: Any) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}}}


def test_a_failed_job_tells_what_its_failure_file_says(sagemaker: SageMaker) -> None:
    # GIVEN
    program = (
        "import os, pathlib; pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('no wheels ' * 200); "
        "pathlib.Path(os.environ['SM_OUTPUT_DATA_DIR'], 'seen.json').write_text('1'); raise SystemExit(3)"
    )
    # WHEN
    name = sagemaker.train(program=program)
    job = sagemaker.trained(name)
    # THEN
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("AlgorithmError: no wheels no wheels")
    assert job["FailureReason"].endswith(", exit code: 3")
    assert len(job["FailureReason"]) <= 1024
    assert "ModelArtifacts" not in job
    assert sagemaker.keys(f"models/{name}/") == [f"models/{name}/output/output.tar.gz"]


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(1)", 1), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137)],
    ids=["exit", "killed"],
)
def test_a_job_that_fails_without_a_word_tells_its_exit_code(sagemaker: SageMaker, program: str, code: int) -> None:
    # WHEN
    job = sagemaker.trained(sagemaker.train(program=program))
    # THEN
    assert job["FailureReason"] == f"AlgorithmError: , exit code: {code}"


def test_a_missing_channel_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    uri = f"s3://{sagemaker.bucket}/nothing/"
    job = sagemaker.trained(sagemaker.train(InputDataConfig=[channel("train", uri)]))
    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(
        f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}"'
    )


def test_a_missing_bucket_fails_the_job(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.trained(sagemaker.train(InputDataConfig=[channel("train", "s3://bucket-that-is-not-there/x")]))
    # THEN
    assert job["FailureReason"].startswith("ClientError: Data download failed:")
    assert "NoSuchBucket" in job["FailureReason"]


def test_an_image_without_a_command_is_named(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.trained(sagemaker.train(AlgorithmSpecification={"TrainingImage": "unknown:7"}))
    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert "unknown:7" in job["FailureReason"]
    assert "images file" in job["FailureReason"]


def test_a_stopped_job_keeps_what_it_has(sagemaker: SageMaker) -> None:
    # GIVEN
    program = (
        "import os, pathlib, signal, time; "
        "save = lambda *_: (pathlib.Path(os.environ['SM_MODEL_DIR'], 'm.json').write_text('7'), os._exit(1)); "
        "signal.signal(signal.SIGTERM, save); print('ready'); time.sleep(60)"
    )
    name = sagemaker.train(program=program)
    eventually(lambda: sagemaker.log(GROUP, f"{name}/algo-1-"))
    # WHEN
    sagemaker.client.stop_training_job(TrainingJobName=name)
    job = sagemaker.trained(name)
    # THEN
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    statuses = [each["Status"] for each in job["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    assert "FailureReason" not in job
    assert sagemaker.read(job["ModelArtifacts"]["S3ModelArtifacts"], "m.json") == 7


def test_a_job_that_has_ended_cannot_be_stopped(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.train(program="pass")
    sagemaker.trained(name)
    # WHEN / THEN
    with pytest.raises(ClientError, match=r"ValidationException.*status Completed"):
        sagemaker.client.stop_training_job(TrainingJobName=name)


def test_the_time_limit_stops_a_job(sagemaker: SageMaker) -> None:
    # WHEN
    name = sagemaker.train(program="import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = sagemaker.trained(name)
    # THEN
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["TrainingTimeInSeconds"] < 10


def test_what_a_job_started_ends_with_it(sagemaker: SageMaker) -> None:
    # GIVEN
    program = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(child.pid)"
    )
    # WHEN
    name = sagemaker.train(program=program)
    assert sagemaker.trained(name)["TrainingJobStatus"] == "Completed"
    # THEN
    (pid,) = sagemaker.log(GROUP, f"{name}/algo-1-")
    eventually(lambda: start_time(int(pid)) is None)
