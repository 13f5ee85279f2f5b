"""The deployed state machine, with a fake function instead of the function that invokes the endpoint."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.support.project import unique
from tests.support.terraform import Deployment
from tests.support.waiting import eventually

# Code of the fake function, which derives the prediction or the error from the image's file name
CLASSIFIER = """
import os

def handler(event, context):
    body = event["body"]
    name = body["s3_key"].rsplit("/", 1)[-1]
    if "killed" in name:
        os._exit(1)
    assert body["image_data"] or body["s3_version"]
    if "gone" in name:
        raise type("ClientError", (Exception,), {})("Endpoint scones-local-vehicles not found.")
    bicycle = 0.6 if "low" in name else 0.01 if "motorcycle" in name else 0.99
    inferences = [bicycle, 1 - bicycle]
    predictions = [{"class": c, "probability": p} for c, p in zip(["bicycle", "motorcycle"], inferences)]
    result = {"inferences": inferences, "predictions": predictions, "model_version": "7"}
    return {"statusCode": 200, "body": {**body, **result}}
"""
# Code of a function that raises the error that the state's input names, as a service would
FAILING = """
def handler(event, context):
    raise type(event["error"], (Exception,), {})(event["message"])
"""

Definition = dict[str, Any]
RULE = "scones-local-incoming"


@dataclass(frozen=True)
class Workflow:
    """A state machine in a deployed environment.

    Attributes
    ----------
    deployment : deployed environment
    definition : definition of the state machine
    machine : ARN of the state machine
    inbox : URL of a queue that receives the notifications of the SNS failures topic
    """

    deployment: Deployment
    definition: Definition
    machine: str
    inbox: str

    def client(self, service: str) -> Any:
        """Return a boto3 client for a service of the environment's account."""
        return self.deployment.account.client(service)

    def change(self, change: Callable[[Definition], None]) -> "Workflow":
        """Create a state machine with a changed definition without retries, and return its workflow.

        Parameters
        ----------
        change : function that changes the states of the definition
        """
        definition = json.loads(json.dumps(self.definition))
        for state in definition["States"].values():
            state.pop("Retry", None)
        change(definition["States"])
        return Workflow(self.deployment, definition, create_state_machine(self.deployment, definition), self.inbox)

    def upload(self, key: str, content: bytes = b"some image", time: str = "2026-01-02T03:04:05Z") -> dict[str, Any]:
        """Upload an object, and return the S3 event about the object."""
        put = self.client("s3").put_object(Bucket=self.deployment.stack.bucket, Key=key, Body=content)
        return self.event(key, put["VersionId"], size=len(content), time=time)

    def event(self, key: str, version: str, *, size: int = 10, time: str = "2026-01-02T03:04:05Z") -> dict[str, Any]:
        """Return an S3 event about an object version: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
        bucket = self.deployment.stack.bucket
        return {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": "123456789012",
            "time": time,
            "region": "us-east-1",
            "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket},
                "object": {"key": key, "size": size, "etag": "some-etag", "version-id": version, "sequencer": "00A1"},
                "request-id": "some-id",
                "requester": "123456789012",
                "source-ip-address": "127.0.0.1",
                "reason": "PutObject",
            },
        }

    def start(self, value: Any) -> str:
        """Start an execution with an input, and return the execution's ARN."""
        return str(
            self.client("stepfunctions").start_execution(stateMachineArn=self.machine, input=json.dumps(value))[
                "executionArn"
            ]
        )

    def finish(self, arn: str) -> dict[str, Any]:
        """Wait until an execution has ended, and return the execution's description."""
        states = self.client("stepfunctions")

        def describe_if_ended() -> dict[str, Any]:
            found: dict[str, Any] = states.describe_execution(executionArn=arn)
            return {} if found["status"] == "RUNNING" else found

        return eventually(describe_if_ended, seconds=60)

    def run(self, value: Any) -> dict[str, Any]:
        """Run an execution with an input, and return the description of the ended execution."""
        return self.finish(self.start(value))

    def item(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the item of the event's object version without DynamoDB's type descriptors; empty if there is none."""
        found = event["detail"]["object"]
        image = f"s3://{self.deployment.stack.bucket}/{found['key']}"
        return self._read(self.deployment.stack.vehicles_table, image=image, version=found["version-id"])

    def driver(self, driver: str) -> dict[str, Any]:
        """Return the driver's item without DynamoDB's type descriptors; empty if there is none."""
        return self._read(self.deployment.stack.drivers_table, driver=driver)

    def _read(self, table: str, **key: str) -> dict[str, Any]:
        found = self.client("dynamodb").get_item(
            TableName=table, Key={name: {"S": value} for name, value in key.items()}, ConsistentRead=True
        )
        return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()}

    def review(self, error: str, event: dict[str, Any]) -> dict[str, Any]:
        """Return the review entry of the event's object version and the content of the copied object.

        Both values are None if they do not exist.
        """
        found = event["detail"]["object"]
        driver = found["key"].split("/")[1]
        prefix = f"review/{error}/{driver}/{found['version-id']}"
        s3, bucket = self.client("s3"), self.deployment.stack.bucket
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
        read = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
        return {"entry": json.loads(read.get(f"{prefix}.json", b"null")), "copy": read.get(prefix)}

    def messages(self, execution: str) -> list[str]:
        """Delete all messages in the queue, and return the notifications about one execution.

        Parameters
        ----------
        execution : ARN of the execution
        """
        sqs, found = self.client("sqs"), []
        while received := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in received:
                found.append(json.loads(message["Body"])["Message"])
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return [message for message in found if execution in message]


def create_state_machine(deployment: Deployment, definition: Definition) -> str:
    """Create a state machine with the role of the deployed state machine, and return its ARN."""
    states = deployment.account.client("stepfunctions")
    role = states.describe_state_machine(stateMachineArn=deployment.stack.state_machine_arn)["roleArn"]
    return str(
        states.create_state_machine(name=unique("machine"), definition=json.dumps(definition), roleArn=role)[
            "stateMachineArn"
        ]
    )


def create_function(deployment: Deployment, code: str) -> str:
    """Create a Lambda function from the source of its handler module, and return the function's ARN."""
    functions = deployment.account.client("lambda")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("handler.py", code)
    created = functions.create_function(
        FunctionName=unique("function"),
        Runtime="python3.12",
        Role=functions.list_functions()["Functions"][0]["Role"],
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    return str(created["FunctionArn"])
