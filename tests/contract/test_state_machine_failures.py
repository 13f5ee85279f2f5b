"""After a failure, the state machine records and copies the image and publishes a notification, and then fails.

No model is deployed. Therefore the state Classify calls a fake function, which predicts the class that the key names.
"""

import json
from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.support.workflow import Definition, Workflow

pytestmark = pytest.mark.xdist_group("local")


def test_cancellation_reasons_select_the_next_state(workflow: Workflow, failing: str, driver: str) -> None:
    # GIVEN a state machine whose transaction fails for the reasons in the key, and that ends instead of waiting
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
    ids=["low confidence", "missing endpoint"],
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

    # THEN the other states of the failure path still report the failure
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
