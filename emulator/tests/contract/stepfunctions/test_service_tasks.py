"""Task states that call SNS, SQS, DynamoDB, S3 and other state machines."""

import json
from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ..statemachines import StateMachines, receive_body, single


def test_sns_publish_converts_objects_to_json_text(
    emulator: RunningEmulator, machines: StateMachines, topic_and_queue: tuple[str, str]
) -> None:
    # GIVEN a topic with a subscribed queue
    topic, queue = topic_and_queue

    # WHEN a state publishes an object
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::sns:publish",
            Parameters={"TopicArn": topic, "Message": {"a": [1]}, "Subject": "s"},
        )
    )

    # THEN the queue receives the object as JSON
    assert output["MessageId"]
    assert json.loads(receive_body(emulator, queue)) == {"a": [1]}


def test_sqs_send_message_converts_objects_to_json_text(
    emulator: RunningEmulator, machines: StateMachines, topic_and_queue: tuple[str, str]
) -> None:
    # GIVEN a queue
    _, queue = topic_and_queue

    # WHEN a state sends an object
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::sqs:sendMessage",
            Parameters={"QueueUrl": queue, "MessageBody": {"a": 1}},
        )
    )

    # THEN the queue receives the object as JSON, and the output has Step Functions' member names
    assert set(output) >= {"MessageId", "MD5OfMessageBody"}
    assert json.loads(receive_body(emulator, queue)) == {"a": 1}


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

    # WHEN a state machine puts, updates, gets and deletes an item
    output = machines.output(definition, {"id": "a", "n": 7})

    # THEN the item has the updated attribute, and the table is empty
    assert output["got"]["Item"] == {"id": {"S": "a"}, "n": {"N": "7"}}
    assert emulator.client("dynamodb").scan(TableName=table)["Count"] == 0


def test_missing_table_fails_the_task_with_dynamodbs_error(emulator: RunningEmulator, machines: StateMachines) -> None:
    # WHEN an item is put into a missing table
    state = single(
        Type="Task",
        Resource="arn:aws:states:::dynamodb:putItem",
        Parameters={"TableName": "missing", "Item": {"id": {"S": "a"}}},
    )
    ended = machines.run(state)

    # THEN the execution fails with DynamoDB's error
    assert (ended["status"], ended["error"]) == ("FAILED", "DynamoDB.ResourceNotFoundException")


def test_output_of_an_aws_sdk_integration_uses_pascal_case(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN an object
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_object(Bucket=bucket, Key="k", Body=b'{"a": 1}')

    # WHEN states read the object and list state machines
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

    # THEN member names are in Pascal case, and times are text
    assert (read["Body"], read["ContentLength"]) == ('{"a": 1}', 8)
    assert read["ETag"]
    assert read["LastModified"].endswith("Z")
    assert set(listed["StateMachines"][0]) == {"CreationDate", "Name", "StateMachineArn", "Type"}


def test_copy_source_is_url_decoded(emulator: RunningEmulator, machines: StateMachines) -> None:
    """S3 decodes CopySource: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    # GIVEN two versions of an object whose key has special characters
    bucket, s3 = f"bucket-{uuid4()}", emulator.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="a b+c%20ü?.png", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="a b+c%20ü?.png", Body=b"second")

    # WHEN a state copies the first version
    source = f"{bucket}/a%20b%2Bc%2520%C3%BC%3F.png?versionId={first}"
    parameters = {"Bucket": bucket, "Key": "copy", "CopySource": source}
    machines.output(single(Type="Task", Resource="arn:aws:states:::aws-sdk:s3:copyObject", Parameters=parameters))

    # THEN the copy has the content of the first version
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"first"


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
def test_aws_sdk_errors_have_the_names_of_the_java_sdk(
    machines: StateMachines, resource: str, parameters: dict[str, str], error: str
) -> None:
    # WHEN a state accesses a missing resource
    ended = machines.run(single(Type="Task", Resource=f"arn:aws:states:::aws-sdk:{resource}", Parameters=parameters))

    # THEN the error consists of the service's name and the exception's name
    assert (ended["status"], ended["error"]) == ("FAILED", error)


@pytest.mark.parametrize(
    ("suffix", "read"), [(".sync", json.loads), (".sync:2", lambda output: output)], ids=["text", "json"]
)
def test_sync_task_waits_for_a_nested_execution(machines: StateMachines, suffix: str, read: Any) -> None:
    # GIVEN a state machine
    inner = machines.create(single(Type="Pass", Result={"done": True}))

    # WHEN another state machine starts it and waits for its end
    output = machines.output(
        single(
            Type="Task",
            Resource=f"arn:aws:states:::states:startExecution{suffix}",
            Parameters={"StateMachineArn": inner, "Input": {"a": 1}},
        )
    )

    # THEN the output is the nested execution's description, whose `Output` is text with `.sync` and JSON with `.sync:2`
    assert output["Status"] == "SUCCEEDED"
    assert read(output["Output"]) == {"done": True}


def test_failed_nested_execution_fails_the_task(machines: StateMachines) -> None:
    # GIVEN a state machine that fails
    inner = machines.create({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Never"}}})

    # WHEN another state machine waits for it
    ended = machines.run(
        single(
            Type="Task",
            Resource="arn:aws:states:::states:startExecution.sync:2",
            Parameters={"StateMachineArn": inner},
        )
    )

    # THEN the task fails with the nested execution's description as its cause
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(ended["cause"])["Error"] == "Never"


def test_task_without_sync_does_not_wait(machines: StateMachines) -> None:
    # GIVEN a state machine that waits for a minute
    inner = machines.create(single(Type="Wait", Seconds=60))

    # WHEN another state machine starts it without waiting
    output = machines.output(
        single(
            Type="Task",
            Resource="arn:aws:states:::states:startExecution",
            Parameters={"StateMachineArn": inner},
        )
    )

    # THEN the task ends while the nested execution runs
    assert machines.client.describe_execution(executionArn=output["ExecutionArn"])["status"] == "RUNNING"
    machines.client.stop_execution(executionArn=output["ExecutionArn"])


def test_failure_sent_for_a_task_token_fails_the_execution(
    emulator: RunningEmulator, machines: StateMachines, topic_and_queue: tuple[str, str]
) -> None:
    # GIVEN a state that sends its task token to a queue and waits
    _, queue = topic_and_queue
    machine = machines.create(
        single(
            Type="Task",
            Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            Parameters={"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        )
    )
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]

    # WHEN a failure is sent for the token
    token = receive_body(emulator, queue)
    machines.client.send_task_failure(taskToken=token, error="Rejected", cause="by hand")

    # THEN the execution fails with the error and cause of the request
    ended = machines.wait_for_execution(arn)
    assert (ended["error"], ended["cause"]) == ("Rejected", "by hand")
