"""Training jobs with several hosts, checkpoints and spot instances; instance quotas."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from ...waiting import eventually
from ..functions import unique
from ..images import IMAGES
from .resources import TRAINING_LOGS, SageMaker, channel

TWO_HOSTS = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
# A program that writes the host's configuration and the names of the host's input files to `<host>.json`, and writes
# two model files: one that only this host writes, and one that all hosts write
REPORT = """
import json, os, pathlib
config = json.loads(pathlib.Path(os.environ["SM_INPUT_CONFIG_DIR"], "resourceconfig.json").read_text())
files = {name: sorted(path.name for path in pathlib.Path(os.environ["SM_INPUT_DATA_DIR"], name).iterdir())
         for name in json.loads(os.environ["SM_CHANNELS"])}
report = {"config": config, "files": files, "hosts": json.loads(os.environ["SM_HOSTS"])}
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], os.environ["SM_CURRENT_HOST"] + ".json").write_text(json.dumps(report))
pathlib.Path(os.environ["SM_MODEL_DIR"], os.environ["SM_CURRENT_HOST"]).write_text("shard")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model").write_text(json.dumps(os.environ["SM_CURRENT_HOST"]))
print("I am", os.environ["SM_CURRENT_HOST"])
"""


def read_output(sagemaker: SageMaker, name: str, member: str, archive: str = "output") -> Any:
    """Return the content of a JSON file in the output or model archive of a job."""
    return sagemaker.read_json(f"s3://{sagemaker.bucket}/models/{name}/output/{archive}.tar.gz", member)


def test_each_host_receives_its_configuration_and_shard(sagemaker: SageMaker) -> None:
    # GIVEN
    for name in "abc":
        sagemaker.upload(f"train/{name}", name)
    uri = f"s3://{sagemaker.bucket}/train/"

    # WHEN
    name = sagemaker.start_training(
        program=REPORT,
        ResourceConfig=TWO_HOSTS,
        InputDataConfig=[channel("train", uri, S3DataDistributionType="ShardedByS3Key"), channel("all", uri)],
    )
    job = sagemaker.wait_for_training(name)

    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    reports = {host: read_output(sagemaker, name, f"{host}.json") for host in ("algo-1", "algo-2")}
    for host, files in (("algo-1", ["a", "c"]), ("algo-2", ["b"])):
        assert reports[host]["config"]["current_host"] == host
        assert reports[host]["config"]["hosts"] == reports[host]["hosts"] == ["algo-1", "algo-2"]
        assert reports[host]["files"] == {"train": files, "all": ["a", "b", "c"]}
        assert sagemaker.read_log(TRAINING_LOGS, f"{name}/{host}-") == [f"I am {host}"]


def test_model_contains_the_first_hosts_file_if_all_hosts_write_it(sagemaker: SageMaker) -> None:
    # WHEN
    name = sagemaker.start_training(program=REPORT, ResourceConfig=TWO_HOSTS)
    sagemaker.wait_for_training(name)

    # THEN
    assert read_output(sagemaker, name, "model", "model") == "algo-1"


def test_failure_of_one_host_ends_all_hosts_and_sets_the_failure_reason(sagemaker: SageMaker) -> None:
    # GIVEN a program that fails on the second host, and sleeps for a minute on the first
    program = (
        "import os, pathlib, sys, time\n"
        "if os.environ['SM_CURRENT_HOST'] == 'algo-1': time.sleep(60)\n"
        "pathlib.Path(os.environ['SM_OUTPUT_FAILURE']).write_text('no examples'); sys.exit(3)"
    )

    # WHEN
    job = sagemaker.wait_for_training(sagemaker.start_training(program=program, ResourceConfig=TWO_HOSTS))

    # THEN
    assert job["FailureReason"] == "AlgorithmError: no examples, exit code: 3"
    assert job["TrainingTimeInSeconds"] < 30


def test_stopping_a_job_stops_every_host(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_training(program="import time; print('ready'); time.sleep(60)", ResourceConfig=TWO_HOSTS)
    eventually(lambda: sagemaker.read_log(TRAINING_LOGS, f"{name}/") == ["ready", "ready"])

    # WHEN
    sagemaker.client.stop_training_job(TrainingJobName=name)

    # THEN
    assert sagemaker.wait_for_training(name)["TrainingJobStatus"] == "Stopped"


def test_checkpoints_are_uploaded_while_the_job_runs(sagemaker: SageMaker) -> None:
    # GIVEN
    program = (
        "import os, pathlib, time; "
        "pathlib.Path(os.environ['SM_CHECKPOINT_DIR'], 'step').write_text('1'); time.sleep(60)"
    )
    uri = f"s3://{sagemaker.bucket}/kept"

    # WHEN
    name = sagemaker.start_training(program=program, CheckpointConfig={"S3Uri": uri})

    # THEN
    eventually(lambda: sagemaker.list_keys("kept/") == ["kept/step"])
    assert sagemaker.describe_training(name)["TrainingJobStatus"] == "InProgress"
    sagemaker.client.stop_training_job(TrainingJobName=name)


# A program that counts its runs in a checkpoint. In the first run it kills itself, which simulates a spot interruption.
INTERRUPTED = """
import os, pathlib, signal, time
step = pathlib.Path(os.environ["SM_CHECKPOINT_DIR"], "step")
run = int(step.read_text()) + 1 if step.exists() else 1
step.write_text(str(run))
print("run", run)
if run == 1:
    time.sleep(0.8)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_interrupted_spot_job_resumes_from_its_checkpoint(sagemaker: SageMaker) -> None:
    # WHEN
    name = sagemaker.start_training(
        program=INTERRUPTED,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        CheckpointConfig={"S3Uri": f"s3://{sagemaker.bucket}/{unique('kept')}"},
    )
    job = sagemaker.wait_for_training(name)

    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    statuses = [each["Status"] for each in job["SecondaryStatusTransitions"]]
    run = ["Starting", "Downloading", "Training"]
    assert statuses == [*run, "Interrupted", *run, "Uploading", "Completed"]
    assert sagemaker.read_log(TRAINING_LOGS, name) == ["run 1", "run 2"]
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


def test_spot_job_stops_at_its_time_limit(sagemaker: SageMaker) -> None:
    # WHEN every run of a job is interrupted
    name = sagemaker.start_training(
        program="import os, signal, time; time.sleep(0.5); os.kill(os.getpid(), signal.SIGKILL)",
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 2, "MaxWaitTimeInSeconds": 2},
    )
    job = sagemaker.wait_for_training(name)

    # THEN
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] in ("MaxWaitTimeExceeded", "MaxRuntimeExceeded")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (
            {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxRuntimeInSeconds": 60}},
            "must be present and be greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "not supported when EnableManagedSpotTraining is false",
        ),
    ],
    ids=["spot without limit", "limit without spot"],
)
def test_max_wait_time_is_required_for_spot_jobs_and_refused_for_others(
    sagemaker: SageMaker, request_: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        sagemaker.start_training(program="pass", **request_)


def test_request_that_exceeds_a_quota_is_refused(tmp_path: Path) -> None:
    # GIVEN a quota of one ml.m5.large for training jobs, and four quotas of 0
    quotas = tmp_path / "quotas.json"
    limits = {
        "ml.m5.large for training job usage": 1,
        "ml.g5.xlarge for training job usage": 0,
        "ml.m5.large for endpoint usage": 0,
        "ml.m5.large for transform job usage": 0,
        "ml.m5.large for processing job usage": 0,
    }
    quotas.write_text(json.dumps(limits))
    running = RunningEmulator(tmp_path, images=IMAGES, quotas=quotas)
    try:
        sagemaker = SageMaker.create(running)
        refused = sagemaker.client.exceptions.ResourceLimitExceeded

        # WHEN, THEN
        with pytest.raises(refused, match=r"'ml\.g5\.xlarge for training job usage' is 0 Instances"):
            sagemaker.start_training(
                program="pass", ResourceConfig={**TWO_HOSTS, "InstanceType": "ml.g5.xlarge", "InstanceCount": 1}
            )
        with pytest.raises(refused, match="a request delta of 2 Instances"):
            sagemaker.start_training(program="pass", ResourceConfig=TWO_HOSTS)
        first = sagemaker.start_training(program="import time; time.sleep(60)")
        with pytest.raises(refused, match="with current utilization of 1 Instances"):
            sagemaker.start_training(program="pass")
        sagemaker.client.stop_training_job(TrainingJobName=first)
        sagemaker.wait_for_training(first)
        assert sagemaker.wait_for_training(sagemaker.start_training(program="pass"))["TrainingJobStatus"] == "Completed"

        with pytest.raises(refused, match=r"'ml\.m5\.large for processing job usage' is 0 Instances"):
            sagemaker.start_processing(program="pass")
        model = sagemaker.create_model()
        config = sagemaker.create_endpoint_config({"one": (model, 1)})
        with pytest.raises(refused, match=r"'ml\.m5\.large for endpoint usage' is 0 Instances"):
            sagemaker.client.create_endpoint(EndpointName="one", EndpointConfigName=config)
        assert sagemaker.client.list_endpoints()["Endpoints"] == []
        with pytest.raises(refused, match=r"'ml\.m5\.large for transform job usage' is 0 Instances"):
            sagemaker.client.create_transform_job(
                TransformJobName="one",
                ModelName=model,
                TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}}},
                TransformOutput={"S3OutputPath": "s3://b/out"},
                TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            )
    finally:
        running.stop()
