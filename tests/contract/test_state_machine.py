"""The state machine classifies and records valid images, with the deployed functions and tables on the emulator.

No model is deployed. Therefore the state Classify calls a fake function, which predicts the class that the key names.
"""

import concurrent.futures
import itertools
import json
from uuid import uuid4

import pytest

from common.inference_ids import inference_id
from evaluation.drivers import DriverStore, delete_driver, explain_driver, list_drivers
from tests.support.project import unique
from tests.support.waiting import eventually
from tests.support.workflow import RULE, Workflow

pytestmark = pytest.mark.xdist_group("local")


def test_upload_starts_the_deployed_state_machine(workflow: Workflow, driver: str) -> None:
    # GIVEN the enabled EventBridge rule for uploads
    events = workflow.client("events")
    events.enable_rule(Name=RULE)

    # WHEN
    event = workflow.upload(f"incoming/{driver}/a b+c%20ü.jpg", bytes(5 * 2**20 + 1))
    events.disable_rule(Name=RULE)

    # THEN the event starts the deployed state machine, which rejects the image before it would call the endpoint
    item = eventually(lambda: workflow.item(event), seconds=60)
    assert (item["outcome"], item["error"], item["driver"]) == ("review", "ImageTooLargeError", driver)
    assert item["execution"].split(":")[-2] == "scones-local-workflow"


def test_drivers_photograph_is_recorded_with_its_zone(workflow: Workflow, driver: str) -> None:
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


def test_photograph_that_exceeds_the_quota_of_a_states_output_is_recorded(workflow: Workflow, driver: str) -> None:
    # GIVEN a photograph of the maximum size that Serialize accepts
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

    # WHEN S3 delivers the event again with a different ID
    second = workflow.run({**event, "id": str(uuid4())})

    # THEN
    assert second["status"] == "SUCCEEDED"
    assert (workflow.item(event), workflow.driver(driver)) == before
    assert len(workflow.messages(first["executionArn"])) == (first["status"] == "FAILED")
    assert workflow.messages(second["executionArn"]) == []


@pytest.mark.parametrize("name", ["bicycle.jpg", "low.jpg"], ids=["recorded", "reviewed"])
def test_event_whose_item_is_written_after_find_item_produces_no_second_result(
    workflow: Workflow, driver: str, name: str
) -> None:
    # GIVEN a state machine that ignores the item that FindItem finds, as if another execution wrote the item later
    blind = workflow.change(
        lambda states: states["IsFound"].update(
            Choices=[{**states["IsFound"]["Choices"][0], "BooleanEquals": False, "Next": "Serialize"}]
        )
    )
    event = workflow.upload(f"incoming/{driver}/{name}")
    first = workflow.run(event)
    before = (workflow.item(event), workflow.driver(driver))

    # WHEN this state machine runs for an event that already has a result
    second = blind.run(event)

    # THEN
    assert second["status"] == first["status"]
    assert (workflow.item(event), workflow.driver(driver)) == before
    assert workflow.messages(second["executionArn"]) == []


def test_drivers_item_has_the_newest_photograph_in_any_order_of_executions(workflow: Workflow) -> None:
    # GIVEN three photographs of a driver; the first two have the same time, so their keys decide which one is newer
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

        # THEN each photograph has an item, and older photographs do not change the driver's item
        is_superseded = [any(other > number for other in order[: order.index(number)]) for number in range(3)]
        outcomes = [workflow.item(event)["outcome"] for event in events]
        assert outcomes == ["superseded" if each else "recorded" for each in is_superseded], order
        newest = {"vehicle": "motorcycle", "photographed": events[2]["time"], "zone": "far", "radius_km": "10"}
        assert workflow.driver(driver).items() >= newest.items(), order

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(finish_in, itertools.permutations(range(3))))


def test_concurrent_photographs_of_a_driver_each_have_an_item(workflow: Workflow, driver: str) -> None:
    # GIVEN eight photographs of a driver, each a second newer than the one before
    events = [
        workflow.upload(f"incoming/{driver}/{number}.jpg", time=f"2026-01-02T03:04:{number:02}Z") for number in range(8)
    ]

    # WHEN
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(workflow.run, events))

    # THEN each photograph has an item, and the driver's item has the newest photograph
    assert {each["status"] for each in ended} == {"SUCCEEDED"}
    assert {workflow.item(event)["outcome"] for event in events} <= {"recorded", "superseded"}
    assert workflow.driver(driver)["photographed"] == events[-1]["time"]


def test_object_version_of_the_event_is_read_even_if_the_object_was_replaced_and_deleted(
    workflow: Workflow, driver: str
) -> None:
    # GIVEN
    first = workflow.upload(f"incoming/{driver}/low.jpg", b"first")
    workflow.upload(f"incoming/{driver}/low.jpg", b"second")
    workflow.client("s3").delete_object(Bucket=workflow.deployment.stack.bucket, Key=f"incoming/{driver}/low.jpg")

    # WHEN the event about the first version is processed
    ended = workflow.run(first)

    # THEN
    assert ended["error"] == "THRESHOLD_CONFIDENCE_NOT_MET"
    assert workflow.review(ended["error"], first)["copy"] == b"first"


def test_each_execution_with_the_courses_input_format_replaces_the_images_item(workflow: Workflow) -> None:
    # GIVEN the course's input format (`image_data`, `s3_bucket`, `s3_key`)
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


def test_all_data_about_a_driver_is_shown_and_deleted(workflow: Workflow, driver: str) -> None:
    # GIVEN a driver with a recorded photograph and one to review, and another driver whose name starts with the first
    # driver's name
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
