"""Task states that start SageMaker jobs, and wait for the end of the job if the resource ends with `.sync`."""

import json
from typing import Any
from uuid import uuid4

from sagelocal.pytest_plugin import RunningEmulator

from ...waiting import eventually
from ..statemachines import StateMachines, role, single


def training(emulator: RunningEmulator, program: str) -> dict[str, Any]:
    """Create a bucket, and return the parameters of a training job that runs a program and uploads to the bucket.

    program : source code in Python
    """
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    return {
        "TrainingJobName": f"job-{uuid4()}",
        "RoleArn": role("training"),
        "AlgorithmSpecification": {
            "TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/python:1",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-c", program],
        },
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def processing(program: str) -> dict[str, Any]:
    """Return the parameters of a processing job that runs a Python program."""
    return {
        "ProcessingJobName": f"job-{uuid4()}",
        "RoleArn": role("processing"),
        "AppSpecification": {"ImageUri": "python:1", "ContainerEntrypoint": ["python3", "-c", program]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
    }


def test_sync_task_waits_for_the_processing_job(machines: StateMachines) -> None:
    # WHEN a state machine runs a processing job with `.sync`
    task = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync"}
    output = machines.output(single(**task, Parameters=processing("import time; time.sleep(0.2)")))

    # THEN the state's output is the description of the completed job, with SageMaker's member names
    assert output["ProcessingJobStatus"] == "Completed"
    assert output["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 1
    assert output["ProcessingStartTime"] <= output["ProcessingEndTime"]


def test_failed_processing_job_fails_the_task(machines: StateMachines) -> None:
    # WHEN a state machine runs a processing job that fails, with `.sync`
    task = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync"}
    ended = machines.run(single(**task, Parameters=processing("raise SystemExit(2)")))

    # THEN the task fails with the job's description as its cause
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(ended["cause"])["FailureReason"] == "AlgorithmError: , exit code: 2"


def test_stopping_the_execution_stops_its_processing_job(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a state machine that waits for a processing job
    parameters = processing("import time; time.sleep(30)")
    task = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync"}
    machine = machines.create(single(**task, Parameters=parameters))
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]
    sagemaker = emulator.client("sagemaker")
    name = parameters["ProcessingJobName"]
    eventually(lambda: sagemaker.list_processing_jobs(NameContains=name)["ProcessingJobSummaries"], seconds=30)

    # WHEN the execution is stopped
    machines.client.stop_execution(executionArn=arn)

    # THEN the job is stopped
    eventually(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped",
        seconds=30,
    )


def test_sync_task_waits_for_the_training_job(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a training program that succeeds
    parameters = training(emulator, "pass")

    # WHEN a state machine runs the training job with `.sync`
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::sagemaker:createTrainingJob.sync",
            Parameters=parameters,
        )
    )

    # THEN the state's output is the description of the completed job
    assert output["TrainingJobStatus"] == "Completed"
    assert output["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")
    assert isinstance(output["CreationTime"], int)


def test_failed_training_job_fails_the_task(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a training program that fails
    parameters = training(emulator, "raise SystemExit('failed on request')")

    # WHEN a state machine runs the training job with `.sync`
    ended = machines.run(
        single(
            Type="Task",
            Resource="arn:aws:states:::sagemaker:createTrainingJob.sync",
            Parameters=parameters,
        )
    )

    # THEN the task fails with the job's description as its cause
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(ended["cause"])["FailureReason"]


def test_stopping_the_execution_stops_its_training_job(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a state machine that waits for a training job
    parameters = training(emulator, "import time; time.sleep(30)")
    machine = machines.create(
        single(
            Type="Task",
            Resource="arn:aws:states:::sagemaker:createTrainingJob.sync",
            Parameters=parameters,
        )
    )
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]
    sagemaker = emulator.client("sagemaker")
    name = parameters["TrainingJobName"]
    eventually(lambda: sagemaker.list_training_jobs(NameContains=name)["TrainingJobSummaries"], seconds=30)

    # WHEN the execution is stopped
    machines.client.stop_execution(executionArn=arn)

    # THEN the job is stopped
    eventually(
        lambda: sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Stopped", seconds=30
    )


def test_refused_training_job_fails_with_sagemakers_error(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a training job
    parameters = training(emulator, "pass")
    emulator.client("sagemaker").create_training_job(**parameters)

    # WHEN a state machine creates a job with the same name
    ended = machines.run(
        single(Type="Task", Resource="arn:aws:states:::sagemaker:createTrainingJob", Parameters=parameters)
    )

    # THEN the execution fails with SageMaker's error
    assert ended["status"] == "FAILED"
    assert ended["error"].startswith("SageMaker.")
