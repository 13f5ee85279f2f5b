"""After a failure, the state machine records the failure, copies the image and publishes a notification, then fails.

No model is deployed. Therefore the state Classify calls a fake function, which predicts the class that the key names.
"""

import json
from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.support.workflow import Definition, Workflow

pytestmark = pytest.mark.xdist_group("local")


def test_reasons_of_a_cancelled_transaction_select_the_next_state(
    workflow: Workflow, failing: str, driver: str
) -> None:
    # GIVEN a state machine whose transaction is cancelled for the reasons in the key, and which ends instead of waiting
    def change(states: Definition) -> None:
        text = "Transaction cancelled, please refer cancellation reasons for specific reasons"
        message = f"{{% '{text} [' & $split($key, '/')[2] & ']' %}}"
        payload = {"error": "DynamoDb.TransactionCanceledException", "message": message}
        states["RecordVehicle"].update(
            Resource="arn:aws:states:::lambda:invoke", Arguments={"FunctionName": failing, "Payload": payload}
        )
        states["WaitForDriver"] = {"Type": "Succeed"}

    changed = workflow.change(change)
    next_states = {
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
        reasons: changed.start(workflow.upload(f"incoming/{driver}/{reasons}/bicycle.jpg")) for reasons in next_states
    }

    # THEN
    found = {}
    for reasons, arn in started.items():
        changed.finish(arn)
        history = workflow.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)["events"]
        entered = [each["stateEnteredEventDetails"]["name"] for each in history if "stateEnteredEventDetails" in each]
        found[reasons] = entered[entered.index("Cancelled") + 1]
    assert found == next_states


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("low.jpg", "THRESHOLD_CONFIDENCE_NOT_MET", "bicycle has confidence 0.6000"),
        ("gone.jpg", "ClientError", "Endpoint scones-local-vehicles not found."),
    ],
    ids=["low confidence", "missing endpoint"],
)
def test_failure_is_recorded_and_reported_and_its_image_is_copied(
    workflow: Workflow, driver: str, name: str, error: str, reason: str
) -> None:
    # GIVEN a key with every character that S3 or a URL treats specially
    key = f"incoming/{driver}/a b+c%20#ü?&=/..x/{name}"
    event = workflow.upload(key, b"the image")

    # WHEN
    ended = workflow.run(event)

    # THEN the execution fails with the name of the original error
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert workflow.item(event).items() >= {"outcome": "review", "error": error, "driver": driver}.items()
    assert workflow.driver(driver) == {}

    # AND the review entry names the object version and the reason of the failure, and the object is copied
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

    # AND the notification names the object, the reason and the command that shows the execution
    (message,) = workflow.messages(ended["executionArn"])
    assert message.startswith(f"s3://{workflow.deployment.stack.bucket}/{key} failed with {error}: ")
    assert reason in message
    assert message.endswith(f"make execution ENV=local ID={ended['name']}")


def test_function_that_is_killed_is_retried_and_then_reported(workflow: Workflow, driver: str) -> None:
    # GIVEN a photograph for which the fake function's process exits
    event = workflow.upload(f"incoming/{driver}/killed.jpg")

    # WHEN
    ended = workflow.run(event)

    # THEN the function was invoked six times
    assert ended["error"] == "Runtime.ExitError"
    history = workflow.client("stepfunctions").get_execution_history(
        executionArn=ended["executionArn"], maxResults=1000
    )["events"]
    assert sum("Runtime.ExitError" in json.dumps(each.get("taskFailedEventDetails")) for each in history) == 6
    assert workflow.item(event)["error"] == "Runtime.ExitError"


def test_eventbridge_rule_notifies_about_an_aborted_execution(workflow: Workflow, driver: str) -> None:
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


def test_object_of_10_gib_has_a_review_entry_without_a_copy(workflow: Workflow, driver: str) -> None:
    # GIVEN an object of just over 5 MiB, whose event says that it has 10 GiB
    event = workflow.upload(f"incoming/{driver}/bicycle.jpg", bytes(5 * 2**20 + 1))
    event["detail"]["object"]["size"] = 10 * 2**30

    # WHEN
    ended = workflow.run(event)

    # THEN
    assert ended["error"] == "ImageTooLargeError"
    review = workflow.review("ImageTooLargeError", event)
    assert (review["entry"]["error"], review["copy"]) == ("ImageTooLargeError", None)


def test_event_with_an_invalid_key_is_reported_and_not_recorded(workflow: Workflow) -> None:
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
    """Return a copy of an event without the field at a path."""
    copy = json.loads(json.dumps(event))
    parent = copy
    for name in path[:-1]:
        parent = parent[name]
    del parent[path[-1]]
    return dict(copy)


def test_invalid_event_is_reported_and_not_recorded(workflow: Workflow, driver: str) -> None:
    # GIVEN events from another service, of another type, and with missing or invalid fields
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


def test_input_that_is_neither_an_event_nor_in_the_courses_format_fails_with_event_error(workflow: Workflow) -> None:
    # GIVEN inputs without the fields of an S3 event or of the course's format (`image_data`, `s3_bucket`, `s3_key`)
    inputs = [{}, [], "text", 7, None, {"s3_key": 7}, {"s3_bucket": {}, "s3_key": []}]

    # WHEN
    ended = [workflow.finish(arn) for arn in [workflow.start(value) for value in inputs]]

    # THEN
    assert [each.get("error") for each in ended] == ["EventError"] * len(inputs)


def test_failed_execution_with_the_courses_input_format_is_reported(workflow: Workflow) -> None:
    # WHEN
    bucket = workflow.deployment.stack.bucket
    ended = workflow.run({"image_data": "", "s3_bucket": bucket, "s3_key": "test/missing.png"})

    # THEN
    assert ended["error"] == "ImageMissingError"
    (message,) = workflow.messages(ended["executionArn"])
    assert message.startswith(f"s3://{bucket}/test/missing.png failed with ImageMissingError: ")


def test_recorded_photograph_has_no_review_entry_if_the_response_to_the_transaction_is_lost(
    workflow: Workflow, failing: str, driver: str
) -> None:
    # GIVEN a state machine that writes the items and then fails, as if the response to the transaction were lost
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
def test_failing_state_of_the_failure_path_does_not_hide_the_original_error(
    workflow: Workflow, failing: str, driver: str, broken: str
) -> None:
    # GIVEN a state machine in which one state of the failure path fails
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
def test_photograph_whose_result_cannot_be_written_is_recorded_for_review(
    workflow: Workflow, driver: str, broken: str
) -> None:
    # GIVEN a state machine in which one state uses a table that does not exist
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
