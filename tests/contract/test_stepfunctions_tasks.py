"""What Task states call: functions, SNS, SQS, DynamoDB, S3, other state machines, SageMaker."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.conftest import RunningEmulator
from tests.contract.statemachines import StateMachines, create_function, role, single

INVOKE = "arn:aws:states:::lambda:invoke"
ECHO = "def handler(event, context):\n    return event\n"
ADD = "def handler(event, context):\n    return {**event, 'steps': event.get('steps', 0) + 1}\n"
DOUBT = """
class THRESHOLD_CONFIDENCE_NOT_MET(Exception):
    pass

def handler(event, context):
    raise THRESHOLD_CONFIDENCE_NOT_MET(f"0.5 after {event['steps']} steps")
"""
TRANSIENT = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]


@pytest.fixture
def machines(emulator: RunningEmulator) -> StateMachines:
    """A factory of state machines."""
    return StateMachines(emulator.client("stepfunctions"))


@pytest.fixture
def functions(emulator: RunningEmulator) -> Any:
    """A client of Lambda."""
    return emulator.client("lambda")


@pytest.fixture
def inbox(emulator: RunningEmulator) -> tuple[str, str]:
    """A topic's ARN, and the URL of a queue that gets what is published there."""
    topic = emulator.client("sns").create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    sqs = emulator.client("sqs")
    queue = sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    emulator.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return topic, queue


def invoke(function: str, **more: Any) -> dict[str, Any]:
    """A Task state that gives its input to a function and takes its answer."""
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "Retry": [{"ErrorEquals": TRANSIENT, "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2}],
        **more,
    }


def received(emulator: RunningEmulator, queue: str) -> str:
    """The body of the message that arrives in a queue."""
    messages = emulator.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    return str(messages[0]["Body"])


def test_error_of_the_third_function_fails_the_execution_under_its_name_after_a_notice(
    emulator: RunningEmulator, machines: StateMachines, functions: Any, inbox: tuple[str, str]
) -> None:
    # GIVEN three functions in a row of which the third raises, each caught by a notice before the failure
    topic, queue = inbox
    caught = {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Notify"}]}
    first, second = create_function(emulator, ADD), create_function(emulator, ADD)
    third = create_function(emulator, DOUBT)
    definition = {
        "StartAt": "Serialize",
        "States": {
            "Serialize": invoke(first, Next="Classify", **caught),
            "Classify": invoke(second, Next="Filter", **caught),
            "Filter": invoke(third, End=True, **caught),
            "Notify": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": {"TopicArn": topic, "Message.$": "$.error"},
                "ResultPath": None,
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Failed"}],
                "Next": "Failed",
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }

    # WHEN it runs
    ended = machines.run(definition, {"s3_key": "test/bicycle.png"})

    # THEN it has failed under the name of the class raised, with the function's own words
    assert ended["status"] == "FAILED"
    assert ended["error"] == "THRESHOLD_CONFIDENCE_NOT_MET"
    assert json.loads(ended["cause"])["errorMessage"] == "0.5 after 2 steps"
    assert json.loads(received(emulator, queue))["Error"] == "THRESHOLD_CONFIDENCE_NOT_MET"


def test_uncaught_error_of_a_function_fails_the_execution_under_its_name(
    emulator: RunningEmulator, machines: StateMachines
) -> None:
    # GIVEN a function that raises
    function = create_function(emulator, "def handler(event, context):\n    raise ValueError('no')\n")

    # WHEN a state machine invokes it
    ended = machines.run({"StartAt": "A", "States": {"A": invoke(function, End=True)}})

    # THEN it fails as the function did
    assert (ended["status"], ended["error"]) == ("FAILED", "ValueError")


@pytest.mark.parametrize("reference", ["name", "arn", "version", "alias", "qualifier"])
def test_function_is_found_by_any_of_its_names(
    emulator: RunningEmulator, machines: StateMachines, functions: Any, reference: str
) -> None:
    # GIVEN a function with a version and an alias
    name = create_function(emulator, ECHO)
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    named = {"name": name, "arn": arn, "version": f"{arn}:1", "alias": f"{name}:live", "qualifier": name}
    parameters = {"FunctionName": named[reference], "Payload": {"a": 1}}
    if reference == "qualifier":
        parameters["Qualifier"] = "1"

    # WHEN it is invoked by one of them
    output = machines.output(single(Type="Task", Resource=INVOKE, Parameters=parameters))

    # THEN it answers
    assert (output["Payload"], output["StatusCode"]) == ({"a": 1}, 200)


def test_resource_can_be_the_function_itself(
    emulator: RunningEmulator, machines: StateMachines, functions: Any
) -> None:
    # GIVEN a function
    name = create_function(emulator, ADD)
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]

    # WHEN its ARN is a state's resource
    output = machines.output(single(Type="Task", Resource=arn), {"steps": 3})

    # THEN the state's output is its answer
    assert output == {"steps": 4}


def test_missing_function_fails_by_lambda_s_name(machines: StateMachines) -> None:
    # GIVEN no function

    # WHEN one is invoked
    ended = machines.run({"StartAt": "A", "States": {"A": invoke("missing", End=True)}})

    # THEN the error is Lambda's
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")


def test_retry_counts_by_the_name_of_the_error(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a function that fails twice by a name, counting in S3
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    source = f"""
import boto3
class Busy(Exception):
    pass
def handler(event, context):
    s3 = boto3.client("s3")
    tries = s3.list_objects_v2(Bucket="{bucket}")["KeyCount"] + 1
    s3.put_object(Bucket="{bucket}", Key=str(tries))
    if tries < 3:
        raise Busy()
    return tries
"""
    function = create_function(emulator, source, Timeout=30)

    # WHEN a state retries that name
    retry = [
        {"ErrorEquals": ["Lambda.TooManyRequestsException"], "MaxAttempts": 9},
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 2},
    ]
    output = machines.output({"StartAt": "A", "States": {"A": invoke(function, End=True) | {"Retry": retry}}})

    # THEN the third try succeeds
    assert output == 3


def test_task_that_takes_too_long_fails_with_a_timeout(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a function that sleeps
    sleeper = "import time\ndef handler(event, context):\n    time.sleep(5)\n"
    function = create_function(emulator, sleeper)

    # WHEN its state waits a second
    ended = machines.run({"StartAt": "A", "States": {"A": invoke(function, End=True, TimeoutSeconds=1)}})

    # THEN the state has timed out
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")


def test_sns_publish_turns_objects_into_text(
    emulator: RunningEmulator, machines: StateMachines, inbox: tuple[str, str]
) -> None:
    # GIVEN a topic with a reader
    topic, queue = inbox

    # WHEN a state publishes an object
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::sns:publish",
            Parameters={"TopicArn": topic, "Message": {"a": [1]}, "Subject": "s"},
        )
    )

    # THEN it arrives as JSON
    assert output["MessageId"]
    assert json.loads(received(emulator, queue)) == {"a": [1]}


def test_sqs_send_message_turns_objects_into_text(
    emulator: RunningEmulator, machines: StateMachines, inbox: tuple[str, str]
) -> None:
    # GIVEN a queue
    _, queue = inbox

    # WHEN a state sends an object
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::sqs:sendMessage",
            Parameters={"QueueUrl": queue, "MessageBody": {"a": 1}},
        )
    )

    # THEN it arrives as JSON, and the answer is spelled as Step Functions does
    assert set(output) >= {"MessageId", "MD5OfMessageBody"}
    assert json.loads(received(emulator, queue)) == {"a": 1}


def test_dynamodb_put_get_update_and_delete(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a table
    table = f"table-{uuid4()}"
    emulator.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    key = {"id": {"S.$": "$.id"}}

    def step(action: str, **more: Any) -> dict[str, Any]:
        parameters = {"TableName": table, **more}
        return {"Type": "Task", "Resource": f"arn:aws:states:::dynamodb:{action}", "Parameters": parameters}

    update = {
        "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": {":n": {"N.$": "States.Format('{}', $.n)"}},
    }
    definition = {
        "StartAt": "Put",
        "States": {
            "Put": step("putItem", Item=key) | {"ResultPath": None, "Next": "Update"},
            "Update": step("updateItem", Key=key, **update) | {"ResultPath": None, "Next": "Get"},
            "Get": step("getItem", Key=key) | {"ResultPath": "$.got", "Next": "Delete"},
            "Delete": step("deleteItem", Key=key) | {"ResultPath": None, "End": True},
        },
    }

    # WHEN a state machine writes, changes, reads and deletes an item
    output = machines.output(definition, {"id": "a", "n": 7})

    # THEN each has happened
    assert output["got"]["Item"] == {"id": {"S": "a"}, "n": {"N": "7"}}
    assert emulator.client("dynamodb").scan(TableName=table)["Count"] == 0


def test_failed_condition_fails_by_dynamodb_s_name(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN no table

    # WHEN an item is put into one
    state = single(
        Type="Task",
        Resource="arn:aws:states:::dynamodb:putItem",
        Parameters={"TableName": "missing", "Item": {"id": {"S": "a"}}},
    )
    ended = machines.run(state)

    # THEN the error is DynamoDB's
    assert (ended["status"], ended["error"]) == ("FAILED", "DynamoDB.ResourceNotFoundException")


def test_aws_sdk_integration_spells_members_in_pascal_case(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN an object
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_object(Bucket=bucket, Key="k", Body=b'{"a": 1}')

    # WHEN states read it and describe a state machine
    read = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::aws-sdk:s3:getObject",
            Parameters={"Bucket": bucket, "Key": "k"},
        )
    )
    listed = machines.output(
        single(Type="Task", Resource="arn:aws:states:::aws-sdk:sfn:listStateMachines", Parameters={})
    )

    # THEN members are spelled as Step Functions does, and times are text
    assert (read["Body"], read["ContentLength"]) == ('{"a": 1}', 8)
    assert read["ETag" if "ETag" in read else "Etag"]
    assert read["LastModified"].endswith("Z")
    assert set(listed["StateMachines"][0]) == {"CreationDate", "Name", "StateMachineArn", "Type"}


@pytest.mark.parametrize(
    ("resource", "parameters", "error"),
    [
        ("s3:getObject", {"Bucket": "missing-bucket", "Key": "k"}, "S3.NoSuchBucketException"),
        ("dynamodb:describeTable", {"TableName": "missing"}, "DynamoDb.ResourceNotFoundException"),
        ("sqs:getQueueUrl", {"QueueName": "missing"}, "Sqs.QueueDoesNotExistException"),
        ("ssm:getParameter", {"Name": "missing"}, "Ssm.ParameterNotFoundException"),
        (
            "sagemakerruntime:invokeEndpoint",
            {"EndpointName": "missing", "Body": "x"},
            "SageMakerRuntime.ValidationErrorException",
        ),
    ],
    ids=["s3", "dynamodb", "sqs", "ssm", "sagemaker-runtime"],
)
def test_aws_sdk_errors_have_java_s_names(
    machines: StateMachines, resource: str, parameters: dict[str, str], error: str
) -> None:
    # GIVEN nothing of that name

    # WHEN a state asks for it
    ended = machines.run(single(Type="Task", Resource=f"arn:aws:states:::aws-sdk:{resource}", Parameters=parameters))

    # THEN the error is named after the service and the exception
    assert (ended["status"], ended["error"]) == ("FAILED", error)


@pytest.mark.parametrize(
    ("suffix", "read"), [(".sync", json.loads), (".sync:2", lambda output: output)], ids=["text", "json"]
)
def test_nested_state_machine_is_waited_for(machines: StateMachines, suffix: str, read: Any) -> None:
    # GIVEN a state machine that doubles by waiting
    inner = machines.create(single(Type="Pass", Result={"done": True}))

    # WHEN another starts it and waits
    output = machines.output(
        single(
            Type="Task",
            Resource=f"arn:aws:states:::states:startExecution{suffix}",
            Parameters={"StateMachineArn": inner, "Input": {"a": 1}},
        )
    )

    # THEN it has the inner one's description
    assert output["Status"] == "SUCCEEDED"
    assert read(output["Output"]) == {"done": True}


def test_nested_failure_fails_the_task(machines: StateMachines) -> None:
    # GIVEN a state machine that fails
    inner = machines.create({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Never"}}})

    # WHEN another waits for it
    ended = machines.run(
        single(
            Type="Task",
            Resource="arn:aws:states:::states:startExecution.sync:2",
            Parameters={"StateMachineArn": inner},
        )
    )

    # THEN the task fails, and says which execution it was
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(ended["cause"])["Error"] == "Never"


def test_started_state_machine_is_not_waited_for(machines: StateMachines) -> None:
    # GIVEN a state machine that waits long
    inner = machines.create(single(Type="Wait", Seconds=60))

    # WHEN another starts it only
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::states:startExecution",
            Parameters={"StateMachineArn": inner},
        )
    )

    # THEN it goes on at once
    assert machines.client.describe_execution(executionArn=output["ExecutionArn"])["status"] == "RUNNING"
    machines.client.stop_execution(executionArn=output["ExecutionArn"])


def test_task_token_is_answered_from_outside(
    emulator: RunningEmulator, machines: StateMachines, inbox: tuple[str, str]
) -> None:
    # GIVEN a state that sends its token and waits
    _, queue = inbox
    machine = machines.create(
        single(
            Type="Task",
            Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            Parameters={"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        )
    )
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]

    # WHEN the token comes back with a failure
    token = received(emulator, queue)
    machines.client.send_task_failure(taskToken=token, error="Rejected", cause="by hand")

    # THEN the execution fails for that reason
    ended = machines.finish(arn)
    assert (ended["error"], ended["cause"]) == ("Rejected", "by hand")


def test_stopped_execution_no_longer_waits_for_its_function(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN an execution in a function that sleeps
    sleeper = "import time\ndef handler(event, context):\n    time.sleep(8)\n"
    function = create_function(emulator, sleeper)
    machine = machines.create({"StartAt": "A", "States": {"A": invoke(function, End=True)}})
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]

    # WHEN it is stopped
    machines.client.stop_execution(executionArn=arn)

    # THEN it has ended at once
    assert machines.finish(arn, seconds=1)["status"] == "ABORTED"


def training(emulator: RunningEmulator, program: str) -> dict[str, Any]:
    """Parameters of a training job that runs a line of Python, with a bucket for what it makes."""
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


def test_training_job_is_waited_for(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a training program that succeeds
    parameters = training(emulator, "pass")

    # WHEN a state machine trains with `.sync`
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::sagemaker:createTrainingJob.sync",
            Parameters=parameters,
        )
    )

    # THEN the state's output is the description of the finished job
    assert output["TrainingJobStatus"] == "Completed"
    assert output["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")
    assert isinstance(output["CreationTime"], int)


def test_failed_training_job_fails_the_task(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a training program that fails
    parameters = training(emulator, "raise SystemExit('told to fail')")

    # WHEN a state machine trains with `.sync`
    ended = machines.run(
        single(
            Type="Task",
            Resource="arn:aws:states:::sagemaker:createTrainingJob.sync",
            Parameters=parameters,
        )
    )

    # THEN the task has failed, with the job's description as its cause
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
    wait_until(lambda: sagemaker.list_training_jobs(NameContains=name)["TrainingJobSummaries"])

    # WHEN it is stopped
    machines.client.stop_execution(executionArn=arn)

    # THEN so is the job
    wait_until(lambda: sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Stopped")


def test_refused_training_job_fails_by_sagemaker_s_name(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a job's name that is taken
    parameters = training(emulator, "pass")
    emulator.client("sagemaker").create_training_job(**parameters)

    # WHEN a state machine creates a job of that name
    ended = machines.run(
        single(Type="Task", Resource="arn:aws:states:::sagemaker:createTrainingJob", Parameters=parameters)
    )

    # THEN the error is SageMaker's
    assert ended["status"] == "FAILED"
    assert ended["error"].startswith("SageMaker.")


def wait_until(condition: Any, seconds: float = 30) -> None:
    """Return as soon as a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)
