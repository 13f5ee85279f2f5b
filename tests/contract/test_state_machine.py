"""The state machine's paths, interpreted by the emulator with the deployed functions, tables and topic.

Only Classify is replaced, by a function that predicts what the key says, because no model is deployed.
"""

import concurrent.futures
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from common.inference_ids import inference_id
from evaluation.drivers import DriverStore, delete_driver, explain_driver, list_drivers
from tests.support.project import unique
from tests.support.terraform import Deployment
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("local")

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
# raises the error that the state's input names, as a service would
FAILING = """
def handler(event, context):
    raise type(event["error"], (Exception,), {})(event["message"])
"""

Definition = dict[str, Any]
RULE = "scones-local-incoming"


@dataclass(frozen=True)
class Workflow:
    """The deployed state machine's definition, and clients of its account."""

    deployment: Deployment
    definition: Definition
    machine: str
    inbox: str

    def client(self, service: str) -> Any:
        return self.deployment.account.client(service)

    def change(self, change: Callable[[Definition], None]) -> "Workflow":
        """Return the workflow with another definition, whose states are not retried."""
        definition = json.loads(json.dumps(self.definition))
        for state in definition["States"].values():
            state.pop("Retry", None)
        change(definition["States"])
        return Workflow(self.deployment, definition, create(self.deployment, definition), self.inbox)

    def upload(self, key: str, content: bytes = b"some image", time: str = "2026-01-02T03:04:05Z") -> dict[str, Any]:
        """Upload an object and return its event."""
        put = self.client("s3").put_object(Bucket=self.deployment.stack.bucket, Key=key, Body=content)
        return self.event(key, put["VersionId"], size=len(content), time=time)

    def event(self, key: str, version: str, *, size: int = 10, time: str = "2026-01-02T03:04:05Z") -> dict[str, Any]:
        """Return the event of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
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
        return str(
            self.client("stepfunctions").start_execution(stateMachineArn=self.machine, input=json.dumps(value))[
                "executionArn"
            ]
        )

    def finish(self, arn: str) -> dict[str, Any]:
        states = self.client("stepfunctions")

        def describe_if_ended() -> dict[str, Any]:
            found: dict[str, Any] = states.describe_execution(executionArn=arn)
            return {} if found["status"] == "RUNNING" else found

        return eventually(describe_if_ended, seconds=60)

    def run(self, value: Any) -> dict[str, Any]:
        return self.finish(self.start(value))

    def item(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the plain values of the object version's item."""
        found = event["detail"]["object"]
        image = f"s3://{self.deployment.stack.bucket}/{found['key']}"
        return self._read(self.deployment.stack.vehicles_table, image=image, version=found["version-id"])

    def driver(self, driver: str) -> dict[str, Any]:
        """Return the plain values of the driver's item."""
        return self._read(self.deployment.stack.drivers_table, driver=driver)

    def _read(self, table: str, **key: str) -> dict[str, Any]:
        found = self.client("dynamodb").get_item(
            TableName=table, Key={name: {"S": value} for name, value in key.items()}, ConsistentRead=True
        )
        return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()}

    def review(self, error: str, event: dict[str, Any]) -> dict[str, Any]:
        """Return the review entry of an object version, and its copied content."""
        found = event["detail"]["object"]
        driver = found["key"].split("/")[1]
        prefix = f"review/{error}/{driver}/{found['version-id']}"
        s3, bucket = self.client("s3"), self.deployment.stack.bucket
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
        read = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
        return {"entry": json.loads(read.get(f"{prefix}.json", b"null")), "copy": read.get(prefix)}

    def messages(self, execution: str) -> list[str]:
        """Return the notifications about an execution, and delete all messages."""
        sqs, found = self.client("sqs"), []
        while received := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in received:
                found.append(json.loads(message["Body"])["Message"])
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return [message for message in found if execution in message]


def create(deployment: Deployment, definition: Definition) -> str:
    states = deployment.account.client("stepfunctions")
    role = states.describe_state_machine(stateMachineArn=deployment.stack.state_machine_arn)["roleArn"]
    return str(
        states.create_state_machine(name=unique("machine"), definition=json.dumps(definition), roleArn=role)[
            "stateMachineArn"
        ]
    )


def create_function(deployment: Deployment, code: str) -> str:
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


@pytest.fixture(scope="module")
def workflow(applied_local: Deployment) -> Iterator[Workflow]:
    """The deployed workflow with a substitute for classify, and a queue that receives its notifications."""
    account, stack = applied_local.account, applied_local.stack
    found = account.client("stepfunctions").describe_state_machine(stateMachineArn=stack.state_machine_arn)
    definition = json.loads(found["definition"])
    definition["States"]["Classify"]["Parameters"]["FunctionName"] = create_function(applied_local, CLASSIFIER)
    # the tests start the executions themselves
    account.client("events").disable_rule(Name=RULE)
    queue = account.client("sqs").create_queue(QueueName=unique("inbox"))["QueueUrl"]
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    account.client("sns").subscribe(
        TopicArn=stack.failures_topic_arn, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"]
    )
    yield Workflow(applied_local, definition, create(applied_local, definition), queue)
    account.client("events").enable_rule(Name=RULE)


@pytest.fixture(scope="module")
def failing(applied_local: Deployment) -> str:
    """A function that fails with the error in its event."""
    return create_function(applied_local, FAILING)


@pytest.fixture
def driver() -> str:
    """A driver whom no other test uses."""
    return unique("driver")


def test_upload_starts_the_deployed_state_machine(workflow: Workflow, driver: str) -> None:
    # GIVEN
    events = workflow.client("events")
    events.enable_rule(Name=RULE)

    # WHEN
    event = workflow.upload(f"incoming/{driver}/a b+c%20ü.jpg", bytes(5 * 2**20 + 1))
    events.disable_rule(Name=RULE)

    # THEN the event reaches the deployed state machine, which refuses the image, whether or not there is an endpoint
    item = eventually(lambda: workflow.item(event), seconds=60)
    assert (item["outcome"], item["error"], item["driver"]) == ("review", "ImageTooLargeError", driver)
    assert item["execution"].split(":")[-2] == "scones-local-workflow"


def test_photograph_of_a_driver_is_recorded_with_its_zone(workflow: Workflow, driver: str) -> None:
    # GIVEN
    event = workflow.upload(f"incoming/{driver}/bicycle.jpg")

    # WHEN
    ended = workflow.run(event)

    # THEN
    assert ended["status"] == "SUCCEEDED", ended
    item = workflow.item(event)
    assert (
        item.items()
        >= {
            "outcome": "recorded",
            "class": "bicycle",
            "confidence": "0.99",
            "probabilities": {"bicycle": {"N": "0.99"}, "motorcycle": {"N": "0.01"}},
            "zone": "near",
            "radius_km": "3",
            "model_version": "7",
            "driver": driver,
            "photographed": event["time"],
            "execution": ended["executionArn"],
        }.items()
    )
    newest = workflow.driver(driver)
    shared = ("image", "version", "zone", "radius_km", "confidence", "model_version", "execution", "photographed")
    assert {name: newest[name] for name in shared} == {name: item[name] for name in shared}
    assert newest["vehicle"] == "bicycle"
    output = json.loads(ended["output"])
    assert (output["class"], output["s3_key"]) == ("bicycle", f"incoming/{driver}/bicycle.jpg")


def test_photograph_that_does_not_fit_into_a_state_is_recorded(workflow: Workflow, driver: str) -> None:
    # GIVEN a photograph as large as the model accepts
    event = workflow.upload(f"incoming/{driver}/bicycle.jpg", bytes(5 * 2**20))

    # WHEN
    ended = workflow.run(event)

    # THEN
    assert ended["status"] == "SUCCEEDED", ended
    assert workflow.driver(driver)["vehicle"] == "bicycle"


@pytest.mark.parametrize("name", ["bicycle.jpg", "low.jpg"], ids=["recorded", "reviewed"])
def test_second_event_for_an_object_version_changes_nothing(workflow: Workflow, driver: str, name: str) -> None:
    # GIVEN
    event = workflow.upload(f"incoming/{driver}/{name}")
    first = workflow.run(event)
    before = (workflow.item(event), workflow.driver(driver))

    # WHEN S3 delivers the event again, with another id
    second = workflow.run({**event, "id": str(uuid4())})

    # THEN
    assert second["status"] == "SUCCEEDED"
    assert (workflow.item(event), workflow.driver(driver)) == before
    assert len(workflow.messages(first["executionArn"])) == (first["status"] == "FAILED")
    assert workflow.messages(second["executionArn"]) == []


@pytest.mark.parametrize("name", ["bicycle.jpg", "low.jpg"], ids=["recorded", "reviewed"])
def test_simultaneous_events_for_an_object_version_have_one_result(workflow: Workflow, driver: str, name: str) -> None:
    # GIVEN an execution that finds no item, although another one has written it since
    blind = workflow.change(
        lambda states: states["IsFound"].update(
            Choices=[{**states["IsFound"]["Choices"][0], "BooleanEquals": False, "Next": "Serialize"}]
        )
    )
    event = workflow.upload(f"incoming/{driver}/{name}")
    first = workflow.run(event)
    before = (workflow.item(event), workflow.driver(driver))

    # WHEN
    second = blind.run(event)

    # THEN
    assert second["status"] == first["status"]
    assert (workflow.item(event), workflow.driver(driver)) == before
    assert workflow.messages(second["executionArn"]) == []


def test_driver_has_the_newest_photograph_in_any_order_of_executions(workflow: Workflow) -> None:
    # GIVEN three photographs of a driver, of which the first two have the same time, so that their keys decide
    def finish_in(order: tuple[int, ...]) -> None:
        driver = unique("driver")
        events = [
            workflow.upload(f"incoming/{driver}/a.jpg", time="2026-01-02T03:04:05Z"),
            workflow.upload(f"incoming/{driver}/b.jpg", time="2026-01-02T03:04:05Z"),
            workflow.upload(f"incoming/{driver}/motorcycle.jpg", time="2026-01-02T03:04:06Z"),
        ]

        # WHEN
        for number in order:
            assert workflow.run(events[number])["status"] == "SUCCEEDED"

        # THEN each has an item, and those that came late do not change the driver's
        late = [any(other > number for other in order[: order.index(number)]) for number in range(3)]
        outcomes = [workflow.item(event)["outcome"] for event in events]
        assert outcomes == ["superseded" if each else "recorded" for each in late], order
        newest = {"vehicle": "motorcycle", "photographed": events[2]["time"], "zone": "far", "radius_km": "10"}
        assert workflow.driver(driver).items() >= newest.items(), order

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(finish_in, itertools.permutations(range(3))))


def test_concurrent_photographs_of_a_driver_each_have_an_item(workflow: Workflow, driver: str) -> None:
    # GIVEN
    events = [
        workflow.upload(f"incoming/{driver}/{number}.jpg", time=f"2026-01-02T03:04:{number:02}Z") for number in range(8)
    ]

    # WHEN
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(workflow.run, events))

    # THEN
    assert {each["status"] for each in ended} == {"SUCCEEDED"}
    assert {workflow.item(event)["outcome"] for event in events} <= {"recorded", "superseded"}
    assert workflow.driver(driver)["photographed"] == events[-1]["time"]


def test_cancellation_reasons_select_the_next_state(workflow: Workflow, failing: str, driver: str) -> None:
    # GIVEN a workflow whose transaction fails for the reasons in the key, and that ends where it would wait
    def change(states: Definition) -> None:
        text = "Transaction cancelled, please refer cancellation reasons for specific reasons"
        message = f"{{% '{text} [' & $split($key, '/')[2] & ']' %}}"
        payload = {"error": "DynamoDb.TransactionCanceledException", "message": message}
        states["RecordVehicle"].update(
            Resource="arn:aws:states:::lambda:invoke", Arguments={"FunctionName": failing, "Payload": payload}
        )
        states["WaitForDriver"] = {"Type": "Succeed"}

    changed = workflow.change(change)
    following = {
        "TransactionConflict, None": "WaitForDriver",
        "None, TransactionConflict": "WaitForDriver",
        "ThrottlingError, None": "WaitForDriver",
        "None, ProvisionedThroughputExceeded": "WaitForDriver",
        "ConditionalCheckFailed, None": "AlreadyClassified",
        "ConditionalCheckFailed, ConditionalCheckFailed": "AlreadyClassified",
        "ConditionalCheckFailed, TransactionConflict": "AlreadyClassified",
        "None, ConditionalCheckFailed": "RecordSuperseded",
        "ValidationError, None": "CountFailure",
    }

    # WHEN
    started = {
        reasons: changed.start(workflow.upload(f"incoming/{driver}/{reasons}/bicycle.jpg")) for reasons in following
    }

    # THEN
    found = {}
    for reasons, arn in started.items():
        changed.finish(arn)
        history = workflow.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)["events"]
        entered = [each["stateEnteredEventDetails"]["name"] for each in history if "stateEnteredEventDetails" in each]
        found[reasons] = entered[entered.index("Cancelled") + 1]
    assert found == following


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("low.jpg", "THRESHOLD_CONFIDENCE_NOT_MET", "bicycle has confidence 0.6000"),
        ("gone.jpg", "ClientError", "Endpoint scones-local-vehicles not found."),
    ],
    ids=["low confidence", "endpoint gone"],
)
def test_failure_is_recorded_copied_and_notified(
    workflow: Workflow, driver: str, name: str, error: str, reason: str
) -> None:
    # GIVEN a key with every character that S3 or a URL treats specially
    key = f"incoming/{driver}/a b+c%20#ü?&=/..x/{name}"
    event = workflow.upload(key, b"the image")

    # WHEN
    ended = workflow.run(event)

    # THEN the execution fails under the first error's name
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert workflow.item(event).items() >= {"outcome": "review", "error": error, "driver": driver}.items()
    assert workflow.driver(driver) == {}

    # THEN a person finds the object, and why it failed
    review = workflow.review(error, event)
    entry = review["entry"]
    assert reason in entry.pop("reason")
    assert entry == {
        "key": key,
        "version": event["detail"]["object"]["version-id"],
        "driver": driver,
        "photographed": event["time"],
        "error": error,
        "execution": ended["executionArn"],
    }
    assert review["copy"] == b"the image"

    # THEN
    (message,) = workflow.messages(ended["executionArn"])
    assert message.startswith(f"s3://{workflow.deployment.stack.bucket}/{key} failed with {error}: ")
    assert reason in message
    assert message.endswith(f"make execution ENV=local ID={ended['name']}")


def test_killed_function_is_invoked_again(workflow: Workflow, driver: str) -> None:
    # GIVEN
    event = workflow.upload(f"incoming/{driver}/killed.jpg")

    # WHEN
    ended = workflow.run(event)

    # THEN
    assert ended["error"] == "Runtime.ExitError"
    history = workflow.client("stepfunctions").get_execution_history(
        executionArn=ended["executionArn"], maxResults=1000
    )["events"]
    assert sum("Runtime.ExitError" in json.dumps(each.get("taskFailedEventDetails")) for each in history) == 6
    assert workflow.item(event)["error"] == "Runtime.ExitError"


def test_aborted_execution_is_reported_by_the_rule(workflow: Workflow, driver: str) -> None:
    # GIVEN
    states, machine = workflow.client("stepfunctions"), workflow.deployment.stack.state_machine_arn
    event = workflow.upload(f"incoming/{driver}/bicycle.jpg")
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]

    # WHEN
    states.stop_execution(executionArn=arn)

    # THEN
    assert workflow.finish(arn)["status"] == "ABORTED"
    (message,) = eventually(lambda: workflow.messages(arn))
    assert f"{arn} ended with the status ABORTED" in message
    assert message.strip('"').endswith(f"make execution ENV=local ID={arn.rpartition(':')[2]}")


def test_object_deleted_before_it_is_read_has_a_review_entry_without_a_copy(workflow: Workflow, driver: str) -> None:
    # GIVEN
    event = workflow.upload(f"incoming/{driver}/bicycle.jpg")
    found = event["detail"]["object"]
    workflow.client("s3").delete_object(
        Bucket=workflow.deployment.stack.bucket, Key=found["key"], VersionId=found["version-id"]
    )

    # WHEN
    ended = workflow.run(event)

    # THEN
    assert ended["error"] == "ImageMissingError"
    assert workflow.item(event)["outcome"] == "review"
    review = workflow.review("ImageMissingError", event)
    assert (review["entry"]["execution"], review["copy"]) == (ended["executionArn"], None)
    assert len(workflow.messages(ended["executionArn"])) == 1


def test_version_of_the_event_is_read_after_the_object_was_replaced_and_deleted(
    workflow: Workflow, driver: str
) -> None:
    # GIVEN
    first = workflow.upload(f"incoming/{driver}/low.jpg", b"first")
    workflow.upload(f"incoming/{driver}/low.jpg", b"second")
    workflow.client("s3").delete_object(Bucket=workflow.deployment.stack.bucket, Key=f"incoming/{driver}/low.jpg")

    # WHEN
    ended = workflow.run(first)

    # THEN
    assert ended["error"] == "THRESHOLD_CONFIDENCE_NOT_MET"
    assert workflow.review(ended["error"], first)["copy"] == b"first"


def test_object_of_10_gb_is_not_copied(workflow: Workflow, driver: str) -> None:
    # GIVEN an event with that size, whose object is above the model's limit
    event = workflow.upload(f"incoming/{driver}/bicycle.jpg", bytes(5 * 2**20 + 1))
    event["detail"]["object"]["size"] = 10 * 2**30

    # WHEN
    ended = workflow.run(event)

    # THEN
    assert ended["error"] == "ImageTooLargeError"
    review = workflow.review("ImageTooLargeError", event)
    assert (review["entry"]["error"], review["copy"]) == ("ImageTooLargeError", None)


def test_invalid_key_is_notified_and_not_recorded(workflow: Workflow) -> None:
    # GIVEN
    keys = [
        "incoming/driver-1",
        "incoming/driver-1/",
        "incoming//a.jpg",
        "incoming/dri ver/a.jpg",
        "incoming/-driver/a.jpg",
        "incoming/../a.jpg",
        "incoming/driver/../../train/a.jpg",
        "incoming/driver/..",
        f"incoming/{'d' * 65}/a.jpg",
        "incoming/größe/a.jpg",
        "incoming2/driver/a.jpg",
        "train/a.jpg",
        "",
    ]
    events = [workflow.event(key, "some-version") for key in keys]

    # WHEN
    ended = [workflow.finish(arn) for arn in [workflow.start(event) for event in events]]

    # THEN
    assert [each["error"] for each in ended] == ["KeyInvalidError"] * len(keys)
    assert all(f"(got {key})" in each["cause"] for key, each in zip(keys, ended, strict=True))
    assert [item for key, event in zip(keys, events, strict=True) if key and (item := workflow.item(event))] == []
    (message,) = workflow.messages(ended[3]["executionArn"])
    assert "/incoming/dri ver/a.jpg failed with KeyInvalidError" in message


def without(event: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return a copy of an event without a field."""
    copy = json.loads(json.dumps(event))
    parent = copy
    for name in path[:-1]:
        parent = parent[name]
    del parent[path[-1]]
    return dict(copy)


def test_event_of_another_service_is_notified_and_not_recorded(workflow: Workflow, driver: str) -> None:
    # GIVEN events of other services and with missing or invalid fields
    event = workflow.event(f"incoming/{driver}/bicycle.jpg", "some-version")
    events: list[Any] = [
        {**event, "source": "aws.ec2"},
        {**event, "detail-type": "Object Deleted"},
        {**event, "time": "yesterday"},
        {**event, "time": 7},
        {**event, "detail": None},
        {**event, "detail": {**event["detail"], "bucket": {"name": "another"}}},
        {**event, "detail": {**event["detail"], "object": "text"}},
        {**event, "detail": {**event["detail"], "object": {**event["detail"]["object"], "key": {"a": 1}}}},
        {**event, "detail": {**event["detail"], "object": {**event["detail"]["object"], "size": "10"}}},
        {"detail": {}},
        *(without(event, name) for name in ("source", "detail-type", "time", "detail")),
        *(without(event, "detail", "object", name) for name in ("key", "version-id", "size")),
        without(event, "detail", "object"),
        without(event, "detail", "bucket"),
    ]

    # WHEN
    ended = [workflow.finish(arn) for arn in [workflow.start(each) for each in events]]

    # THEN
    assert [each.get("error") for each in ended] == ["EventInvalidError"] * len(events)
    assert workflow.item(event) == workflow.driver(driver) == {}
    assert "'no image'" not in workflow.messages(ended[0]["executionArn"])[0]


def test_other_input_fails_as_the_course_expects(workflow: Workflow) -> None:
    # GIVEN
    inputs = [{}, [], "text", 7, None, {"s3_key": 7}, {"s3_bucket": {}, "s3_key": []}]

    # WHEN
    ended = [workflow.finish(arn) for arn in [workflow.start(value) for value in inputs]]

    # THEN
    assert [each.get("error") for each in ended] == ["EventError"] * len(inputs)


def test_image_of_the_course_is_recorded_each_time(workflow: Workflow) -> None:
    # GIVEN
    key = f"test/{unique('bicycle')}"
    workflow.upload(key)
    value = {"image_data": "", "s3_bucket": workflow.deployment.stack.bucket, "s3_key": key}

    # WHEN
    first, second = workflow.run(value), workflow.run(value)

    # THEN
    assert (first["status"], second["status"]) == ("SUCCEEDED", "SUCCEEDED")
    item = workflow._read(
        workflow.deployment.stack.vehicles_table, image=f"s3://{value['s3_bucket']}/{key}", version="latest"
    )
    assert item.items() >= {"class": "bicycle", "outcome": "recorded", "execution": second["executionArn"]}.items()
    assert "driver" not in item


def test_failure_of_the_courses_input_is_notified_without_a_review(workflow: Workflow) -> None:
    # WHEN
    bucket = workflow.deployment.stack.bucket
    ended = workflow.run({"image_data": "", "s3_bucket": bucket, "s3_key": "test/missing.png"})

    # THEN
    assert ended["error"] == "ImageMissingError"
    (message,) = workflow.messages(ended["executionArn"])
    assert message.startswith(f"s3://{bucket}/test/missing.png failed with ImageMissingError: ")


def test_recorded_photograph_is_not_reviewed_if_the_response_is_lost(
    workflow: Workflow, failing: str, driver: str
) -> None:
    # GIVEN an execution that writes its items and then fails, as if no attempt had got a response
    def change(states: Definition) -> None:
        states["RecordVehicle"].pop("End")
        states["RecordVehicle"]["Next"] = "Lost"
        states["Lost"] = {
            **states["CountFailure"],
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": failing, "Payload": {"error": "SomeError", "message": "some message"}},
            "Catch": states["RecordVehicle"]["Catch"][1:],
        }

    event = workflow.upload(f"incoming/{driver}/bicycle.jpg")

    # WHEN
    ended = workflow.change(change).run(event)

    # THEN
    assert (ended["status"], workflow.item(event)["outcome"]) == ("FAILED", "recorded")
    assert workflow.review(ended["error"], event)["entry"] is None


@pytest.mark.parametrize("broken", ["CountFailure", "ClaimReview", "WriteReview", "CopyImage", "NotifyFailure"])
def test_failing_report_does_not_hide_the_first_error(
    workflow: Workflow, failing: str, driver: str, broken: str
) -> None:
    # GIVEN a state of the failure path whose service fails
    def change(states: Definition) -> None:
        payload = {"error": "SomeService.SomeException", "message": "some message"}
        states[broken].update(
            Resource="arn:aws:states:::lambda:invoke", Arguments={"FunctionName": failing, "Payload": payload}
        )

    changed = workflow.change(change)
    event = workflow.upload(f"incoming/{driver}/low.jpg", b"the image")

    # WHEN
    ended = changed.run(event)

    # THEN the others still report
    assert (ended["status"], ended["error"]) == ("FAILED", "THRESHOLD_CONFIDENCE_NOT_MET")
    assert bool(workflow.item(event)) == (broken != "ClaimReview")
    review = workflow.review(ended["error"], event)
    assert (review["entry"] is not None, review["copy"] is not None) == (broken != "WriteReview", broken != "CopyImage")
    assert len(workflow.messages(ended["executionArn"])) == (broken != "NotifyFailure")


@pytest.mark.parametrize("broken", ["FindItem", "RecordVehicle"])
def test_event_that_cannot_be_recorded_is_reviewed(workflow: Workflow, driver: str, broken: str) -> None:
    # GIVEN
    def change(states: Definition) -> None:
        arguments = states[broken]["Arguments"]
        table = arguments["TransactItems"][1]["Put"] if broken == "RecordVehicle" else arguments
        table["TableName"] = "missing"

    changed = workflow.change(change)
    event = workflow.upload(f"incoming/{driver}/bicycle.jpg")

    # WHEN
    ended = changed.run(event)

    # THEN
    assert ended["status"] == "FAILED"
    assert ended["error"].endswith("ResourceNotFoundException")
    assert workflow.item(event).items() >= {"outcome": "review", "error": ended["error"]}.items()
    assert workflow.driver(driver) == {}


def test_all_data_about_a_driver_is_shown_and_deleted(workflow: Workflow, driver: str) -> None:
    # GIVEN a driver with a vehicle and a photograph to review, and another driver whose name begins alike
    stack, dynamodb = workflow.deployment.stack, workflow.client("dynamodb")
    store = DriverStore(
        stack.vehicles_table,
        stack.drivers_table,
        stack.bucket,
        stack.incoming_prefix,
        stack.review_prefix,
        stack.labels_prefix,
    )
    keys = [f"incoming/{each}/{name}" for each in (driver, f"{driver}x") for name in ("bicycle", "low")]
    events = [workflow.upload(key) for key in keys]
    for event in events:
        workflow.run(event)
        photograph = event["detail"]["object"]
        name = inference_id(photograph["key"], photograph["version-id"])
        for key in (f"review/selected/{name}", f"review/selected/{name}.json", f"labels/answers/{name}.json"):
            workflow.client("s3").put_object(Bucket=stack.bucket, Key=key)

    # WHEN
    listed = [item["driver"] for item in list_drivers(store, dynamodb=dynamodb)]
    shown = str(dict(explain_driver(store, driver, environment="local", dynamodb=dynamodb)))
    deleted = delete_driver(store, driver, s3=workflow.client("s3"), dynamodb=dynamodb)

    # THEN
    assert {driver, f"{driver}x"} <= set(listed)
    assert "bicycle 0.9900, motorcycle 0.0100" in shown
    assert "THRESHOLD_CONFIDENCE_NOT_MET" in shown
    assert deleted == (10, 3)
    assert [workflow.item(event) == {} for event in events] == [True, True, False, False]
    assert (workflow.driver(driver), workflow.driver(f"{driver}x")["vehicle"]) == ({}, "bicycle")
