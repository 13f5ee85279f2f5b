"""Training jobs of several hosts, on spot instances, with checkpoints; and what an account's quotas refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from .functions import unique
from .images import IMAGES
from .sagemaker_parts import (
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .test_sagemaker_training import GROUP, channel
from .waiting import eventually

TWO = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
# What a host is told, and its files, in a file of its own
TELL = """
import json, os, pathlib
config = json.loads(pathlib.Path(os.environ["SM_INPUT_CONFIG_DIR"], "resourceconfig.json").read_text())
files = {name: sorted(path.name for path in pathlib.Path(os.environ["SM_INPUT_DATA_DIR"], name).iterdir())
         for name in json.loads(os.environ["SM_CHANNELS"])}
told = {"config": config, "files": files, "hosts": json.loads(os.environ["SM_HOSTS"])}
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], os.environ["SM_CURRENT_HOST"] + ".json").write_text(json.dumps(told))
pathlib.Path(os.environ["SM_MODEL_DIR"], os.environ["SM_CURRENT_HOST"]).write_text("a part")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model").write_text(json.dumps(os.environ["SM_CURRENT_HOST"]))
print("I am", os.environ["SM_CURRENT_HOST"])
"""


def output(sagemaker: SageMaker, name: str, member: str, archive: str = "output") -> Any:
    return sagemaker.read(f"s3://{sagemaker.bucket}/models/{name}/output/{archive}.tar.gz", member)


def test_each_host_knows_itself_and_the_others_and_has_its_share(sagemaker: SageMaker) -> None:
    # GIVEN
    for name in "abc":
        sagemaker.put(f"train/{name}", name)
    uri = f"s3://{sagemaker.bucket}/train/"

    # WHEN
    name = sagemaker.train(
        program=TELL,
        ResourceConfig=TWO,
        InputDataConfig=[channel("train", uri, S3DataDistributionType="ShardedByS3Key"), channel("all", uri)],
    )
    job = sagemaker.trained(name)

    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    told = {host: output(sagemaker, name, f"{host}.json") for host in ("algo-1", "algo-2")}
    for host, files in (("algo-1", ["a", "c"]), ("algo-2", ["b"])):
        assert told[host]["config"]["current_host"] == host
        assert told[host]["config"]["hosts"] == told[host]["hosts"] == ["algo-1", "algo-2"]
        assert told[host]["files"] == {"train": files, "all": ["a", "b", "c"]}
        assert sagemaker.log(GROUP, f"{name}/{host}-") == [f"I am {host}"]


def test_the_hosts_parts_are_one_model(sagemaker: SageMaker) -> None:
    # WHEN
    name = sagemaker.train(program=TELL, ResourceConfig=TWO)
    sagemaker.trained(name)

    # THEN of a file that both have, the first one's is kept
    assert output(sagemaker, name, "model", "model") == "algo-1"


def test_a_host_that_fails_ends_the_others_and_says_why(sagemaker: SageMaker) -> None:
    # GIVEN
    program = (
        "import os, pathlib, sys, time\n"
        "if os.environ['SM_CURRENT_HOST'] == 'algo-1': time.sleep(60)\n"
        "pathlib.Path(os.environ['SM_OUTPUT_FAILURE']).write_text('no rows here'); sys.exit(3)"
    )

    # WHEN
    job = sagemaker.trained(sagemaker.train(program=program, ResourceConfig=TWO))

    # THEN
    assert job["FailureReason"] == "AlgorithmError: no rows here, exit code: 3"
    assert job["TrainingTimeInSeconds"] < 30


def test_a_job_that_is_stopped_stops_at_every_host(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.train(program="import time; print('ready'); time.sleep(60)", ResourceConfig=TWO)
    eventually(lambda: sagemaker.log(GROUP, f"{name}/") == ["ready", "ready"])

    # WHEN
    sagemaker.client.stop_training_job(TrainingJobName=name)

    # THEN
    assert sagemaker.trained(name)["TrainingJobStatus"] == "Stopped"


def test_checkpoints_are_in_s3_while_the_job_still_runs(sagemaker: SageMaker) -> None:
    # GIVEN
    program = (
        "import os, pathlib, time; "
        "pathlib.Path(os.environ['SM_CHECKPOINT_DIR'], 'step').write_text('1'); time.sleep(60)"
    )
    uri = f"s3://{sagemaker.bucket}/kept"

    # WHEN
    name = sagemaker.train(program=program, CheckpointConfig={"S3Uri": uri})

    # THEN
    eventually(lambda: sagemaker.keys("kept/") == ["kept/step"])
    assert sagemaker.job(name)["TrainingJobStatus"] == "InProgress"
    sagemaker.client.stop_training_job(TrainingJobName=name)


# Counts how often it has begun; is killed the first time, as when its instance is taken away
TAKEN_AWAY = """
import os, pathlib, signal, time
step = pathlib.Path(os.environ["SM_CHECKPOINT_DIR"], "step")
begun = int(step.read_text()) + 1 if step.exists() else 1
step.write_text(str(begun))
print("begun", begun)
if begun == 1:
    time.sleep(1.5)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_spot_job_goes_on_where_it_was_taken_away(sagemaker: SageMaker) -> None:
    # WHEN
    name = sagemaker.train(
        program=TAKEN_AWAY,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        CheckpointConfig={"S3Uri": f"s3://{sagemaker.bucket}/{unique('kept')}"},
    )
    job = sagemaker.trained(name)

    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    statuses = [each["Status"] for each in job["SecondaryStatusTransitions"]]
    run = ["Starting", "Downloading", "Training"]
    assert statuses == [*run, "Interrupted", *run, "Uploading", "Completed"]
    assert sagemaker.log(GROUP, name) == ["begun 1", "begun 2"]
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


def test_a_spot_job_waits_no_longer_than_it_may(sagemaker: SageMaker) -> None:
    # WHEN its instances are taken away again and again
    name = sagemaker.train(
        program="import os, signal, time; time.sleep(0.5); os.kill(os.getpid(), signal.SIGKILL)",
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 2, "MaxWaitTimeInSeconds": 2},
    )
    job = sagemaker.trained(name)

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
    ids=["no wait", "no spot"],
)
def test_waiting_is_for_spot_instances(sagemaker: SageMaker, request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        sagemaker.train(program="pass", **request_)


def test_what_is_over_a_quota_is_refused_by_its_name(tmp_path: Path) -> None:
    # GIVEN an account that may train on one small host, and on none with a GPU
    quotas = tmp_path / "quotas.json"
    limits = {
        "ml.m5.large for training job usage": 1,
        "ml.g5.xlarge for training job usage": 0,
        "ml.m5.large for endpoint usage": 0,
        "ml.m5.large for transform job usage": 0,
    }
    quotas.write_text(json.dumps(limits))
    running = RunningEmulator(tmp_path, images=IMAGES, quotas=quotas)
    try:
        sagemaker = SageMaker(running, unique("bucket"))
        sagemaker.s3.create_bucket(Bucket=sagemaker.bucket)
        refused = sagemaker.client.exceptions.ResourceLimitExceeded

        # WHEN, THEN
        with pytest.raises(refused, match=r"'ml\.g5\.xlarge for training job usage' is 0 Instances"):
            sagemaker.train(program="pass", ResourceConfig={**TWO, "InstanceType": "ml.g5.xlarge", "InstanceCount": 1})
        with pytest.raises(refused, match="a request delta of 2 Instances"):
            sagemaker.train(program="pass", ResourceConfig=TWO)
        first = sagemaker.train(program="import time; time.sleep(60)")
        with pytest.raises(refused, match="with current utilization of 1 Instances"):
            sagemaker.train(program="pass")
        sagemaker.client.stop_training_job(TrainingJobName=first)
        sagemaker.trained(first)
        assert sagemaker.trained(sagemaker.train(program="pass"))["TrainingJobStatus"] == "Completed"

        model = sagemaker.make_model()
        config = sagemaker.make_config({"one": (model, 1)})
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
