"""The table of all drivers, the explanation of one driver's item, and the deletion of a driver's data."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.inference_ids import inference_id
from evaluation.drivers import (
    DriverError,
    DriverStore,
    check_name,
    check_segment,
    delete_driver,
    driver_lines,
    driver_table,
    explain_driver,
    list_drivers,
)

STORE = DriverStore("vehicles", "drivers", "bucket", "incoming", "review", "labels")
KEYS = {"vehicles": ("image", "version"), "drivers": ("driver",)}


def text(**values: str) -> dict[str, Any]:
    """Return strings in DynamoDB's format, by attribute name."""
    return {name: {"S": value} for name, value in values.items()}


class FakeDynamoDB:
    """A DynamoDB client with the tables of vehicles and drivers."""

    def __init__(self, *, vehicles: list[dict[str, Any]], drivers: list[dict[str, Any]]) -> None:
        self.tables = {"vehicles": vehicles, "drivers": drivers}

    def get_paginator(self, operation: str) -> Any:
        return {"scan": Pages(self.scan), "query": Pages(self.query)}[operation]

    def scan(self, *, TableName: str, ConsistentRead: bool) -> Iterator[dict[str, Any]]:  # noqa: N803
        for item in self.tables[TableName]:
            yield {"Items": [item]}

    def query(self, *, TableName: str, ExpressionAttributeValues: Any, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        named = [item for item in self.tables[TableName] if item.get("driver") == ExpressionAttributeValues[":driver"]]
        for item in sorted(named, key=lambda item: str(item["photographed"]["S"]), reverse=True):
            yield {"Items": [{name: item[name] for name in ("image", "version", "driver", "photographed")}]}

    def get_item(self, *, TableName: str, Key: Any, ConsistentRead: bool) -> dict[str, Any]:  # noqa: N803
        found = [item for item in self.tables[TableName] if Key.items() <= item.items()]
        return {"Item": found[0]} if found else {}

    def delete_item(self, *, TableName: str, Key: Any, ReturnValues: str = "NONE") -> dict[str, Any]:  # noqa: N803
        assert set(Key) == set(KEYS[TableName])
        found = next((item for item in self.tables[TableName] if Key.items() <= item.items()), None)
        if found:
            self.tables[TableName].remove(found)
        return {"Attributes": found} if found and ReturnValues == "ALL_OLD" else {}


class FakeS3:
    """An S3 client with one versioned bucket.

    Parameters
    ----------
    versions : key and version ID of each object version and delete marker; IDs of delete markers start with `marker`
    refused : key of an object that S3 refuses to delete
    """

    def __init__(self, *versions: tuple[str, str], refused: str | None = None) -> None:
        self.versions = list(versions)
        self._refused = refused

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_object_versions"
        return Pages(self.list)

    def list(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803
        found = [pair for pair in self.versions if pair[0].startswith(Prefix)]
        if Delimiter:
            folders = {Prefix + key.removeprefix(Prefix).partition("/")[0] + "/" for key, _ in found}
            yield {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]}
            return
        for kind in ("Versions", "DeleteMarkers"):
            marked = [pair for pair in found if pair[1].startswith("marker") == (kind == "DeleteMarkers")]
            yield {kind: [{"Key": key, "VersionId": version} for key, version in marked]}

    def delete_objects(self, *, Bucket: str, Delete: Any) -> dict[str, Any]:  # noqa: N803
        assert len(Delete["Objects"]) <= 1000
        for each in Delete["Objects"]:
            if each["Key"] == self._refused:
                return {"Errors": [{"Key": each["Key"], "Message": "Access Denied"}]}
            self.versions.remove((each["Key"], each["VersionId"]))
        return {}


class Pages:
    """A paginator whose method `paginate` is the given function."""

    def __init__(self, pages: Any) -> None:
        self.paginate = pages


def vehicle(driver: str, name: str, **values: Any) -> dict[str, Any]:
    """Return the item of a driver's photograph; the first digit of `name` is the second at which it was taken."""
    item = text(image=f"s3://bucket/incoming/{driver}/{name}", version="1", driver=driver, outcome="recorded")
    return {**item, **text(photographed=f"2026-01-02T03:04:0{name[0]}Z"), **values}


def driver_item(driver: str, *, zone: str = "near", radius: Any = None) -> dict[str, Any]:
    """Return the item of a driver, whose newest photograph is `5.jpg`."""
    item = text(
        driver=driver,
        image=f"s3://bucket/incoming/{driver}/5.jpg",
        version="1",
        vehicle="bicycle",
        zone=zone,
        photographed="2026-01-02T03:04:05Z",
        recorded="2026-01-02T03:04:06.789Z",
        model_version="7",
        execution="some-execution",
    )
    return {**item, "confidence": {"N": "0.98761"}, "radius_km": radius or {"N": "3"}}


def test_table_lists_drivers_by_name_with_vehicle_and_zone() -> None:
    # GIVEN
    items = [driver_item("zoe"), driver_item("adam", zone="unassigned", radius={"N": "0"})]
    dynamodb = FakeDynamoDB(vehicles=[], drivers=items)

    # WHEN
    _, *rows = driver_table(list_drivers(STORE, dynamodb=dynamodb))

    # THEN
    assert [row.split() for row in rows] == [
        ["adam", "bicycle", "0.9876", "unassigned", "2026-01-02T03:04:05Z"],
        ["zoe", "bicycle", "0.9876", "near,", "3", "km", "2026-01-02T03:04:05Z"],
    ]


def test_explanation_has_image_probabilities_model_and_photographs_of_the_driver() -> None:
    # GIVEN a driver with a newer photograph that must be reviewed, and another driver whose name starts with `zoe` too
    probabilities = {"M": {"motorcycle": {"N": "0.01239"}, "bicycle": {"N": "0.98761"}}}
    vehicles = [
        vehicle("zoe", "5.jpg", probabilities=probabilities, **text(**{"class": "bicycle"})),
        vehicle("zoe", "6.jpg", **text(outcome="review", error="ImageInvalidError")),
        vehicle("zoey", "7.jpg"),
    ]
    dynamodb = FakeDynamoDB(vehicles=vehicles, drivers=[driver_item("zoe")])

    # WHEN
    rows = list(explain_driver(STORE, "zoe", environment="dev", dynamodb=dynamodb))

    # THEN
    assert (
        dict(rows[:8]).items()
        >= {
            "image": "s3://bucket/incoming/zoe/5.jpg",
            "probabilities": "bicycle 0.9876, motorcycle 0.0124",
            "execution": "make execution ENV=dev ID=some-execution",
            "model": "7",
        }.items()
    )
    assert rows[8:] == [
        ("newest 2 of 2", "2026-01-02T03:04:06Z  review      ImageInvalidError  s3://bucket/incoming/zoe/6.jpg"),
        ("", "2026-01-02T03:04:05Z  recorded    bicycle  s3://bucket/incoming/zoe/5.jpg"),
    ]


def test_driver_whose_photographs_are_all_in_review_has_no_vehicle() -> None:
    # GIVEN
    photograph = vehicle("zoe", "6.jpg", **text(outcome="review", error="ImageInvalidError"))

    # WHEN
    dynamodb = FakeDynamoDB(vehicles=[photograph], drivers=[])
    rows = list(explain_driver(STORE, "zoe", environment="dev", dynamodb=dynamodb))

    # THEN
    assert rows[0][1].startswith("none on record")
    assert "ImageInvalidError" in rows[1][1]


def test_error_names_an_unknown_driver() -> None:
    # WHEN / THEN
    with pytest.raises(DriverError, match="the driver zoe is not on record: `make drivers`"):
        list(explain_driver(STORE, "zoe", environment="dev", dynamodb=FakeDynamoDB(vehicles=[], drivers=[])))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "*", "-a", "größe", "a\n", "a" * 65])
def test_invalid_driver_name_is_rejected(name: str) -> None:
    # WHEN / THEN
    with pytest.raises(DriverError, match="ID must be 1 to 64 letters"):
        check_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "zoe/"])
def test_deletion_refuses_a_name_that_is_not_one_segment_of_a_key(name: str) -> None:
    # WHEN / THEN
    with pytest.raises(DriverError, match="ID must be a name without slashes"):
        check_segment(name)


@pytest.mark.parametrize("name", ["zoe", "José", "a b", "*", "-a", "...", "a" * 65])
def test_deletion_accepts_any_name_that_is_one_segment_of_a_key(name: str) -> None:
    # GIVEN
    s3 = FakeS3((f"incoming/{name}/x.jpg", "1"), ("incoming/other/x.jpg", "1"))

    # WHEN
    deleted = delete_driver(STORE, check_segment(name), s3=s3, dynamodb=FakeDynamoDB(vehicles=[], drivers=[]))

    # THEN
    assert deleted == (1, 0)
    assert s3.versions == [("incoming/other/x.jpg", "1")]


def test_lines_of_the_explanation_are_wrapped_except_for_commands() -> None:
    # GIVEN a command with an execution that EventBridge started, whose name consists of two UUIDs
    command = f"make execution ENV=dev ID={'a' * 36}_{'b' * 36}"
    facts = [
        ("image", f"photograph of a driver in {'s3://bucket/' * 9}"),
        ("execution", command),
        ("newest 1 of 1", "x"),
    ]

    # WHEN
    lines = list(driver_lines(facts))

    # THEN
    assert f"execution      {command}" in lines
    assert lines[-1] == "newest 1 of 1  x"
    assert len(lines) > len(facts)
    assert all(len(line) <= 80 for line in lines if command not in line)


def test_deletion_covers_all_object_versions_review_copies_and_items_of_one_driver() -> None:
    # GIVEN data of the drivers zoe and zoey
    s3 = FakeS3(
        *((f"incoming/zoe/{number}.jpg", "1") for number in range(1500)),
        ("incoming/zoe/5.jpg", "2"),
        ("incoming/zoe/5.jpg", "marker"),
        ("review/ImageInvalidError/zoe/1.json", "1"),
        ("review/THRESHOLD_CONFIDENCE_NOT_MET/zoe/2", "1"),
        ("incoming/zoey/5.jpg", "1"),
        ("review/ImageInvalidError/zoey/1.json", "1"),
    )
    dynamodb = FakeDynamoDB(
        vehicles=[vehicle("zoe", "5.jpg"), vehicle("zoe", "6.jpg"), vehicle("zoey", "5.jpg")],
        drivers=[driver_item("zoe"), driver_item("zoey")],
    )

    # WHEN
    deleted = delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb)

    # THEN
    assert deleted == (1504, 3)
    assert s3.versions == [("incoming/zoey/5.jpg", "1"), ("review/ImageInvalidError/zoey/1.json", "1")]
    assert [item["driver"]["S"] for table in dynamodb.tables.values() for item in table] == ["zoey", "zoey"]
    assert delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb) == (0, 0)


def test_deletion_covers_selected_images_and_answers() -> None:
    # GIVEN reviewed photographs: one of zoe with an object but no item, one of zoe with an item but no object, and one
    # of zoey
    ids = {name: inference_id(f"incoming/{name}.jpg", "1") for name in ("zoe/5", "zoe/6", "zoey/5")}
    reviewed = [
        (f"{folder}/{name}{suffix}", "1")
        for name in ids.values()
        for folder, suffix in (("review/selected", ""), ("review/selected", ".json"), ("labels/answers", ".json"))
    ]
    s3 = FakeS3(("incoming/zoe/5.jpg", "1"), *reviewed, (f"labels/answers/{ids['zoe/5']}.json", "marker"))
    dynamodb = FakeDynamoDB(vehicles=[vehicle("zoe", "6.jpg"), vehicle("zoey", "5.jpg")], drivers=[])

    # WHEN
    deleted = delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb)

    # THEN
    assert deleted == (8, 1)
    assert s3.versions == reviewed[6:]


def test_items_are_kept_if_s3_refuses_to_delete_an_object() -> None:
    # GIVEN
    s3 = FakeS3(("incoming/zoe/5.jpg", "1"), refused="incoming/zoe/5.jpg")
    dynamodb = FakeDynamoDB(vehicles=[vehicle("zoe", "5.jpg")], drivers=[driver_item("zoe")])

    # WHEN / THEN
    with pytest.raises(DriverError, match=r"S3 refused to delete incoming/zoe/5\.jpg: Access Denied"):
        delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb)
    assert len(dynamodb.tables["drivers"]) == 1


def latest_item(key: str) -> dict[str, Any]:
    """Return the item of an image that was classified with the course's input format, which has no driver."""
    return text(image=f"s3://bucket/{key}", version="latest", outcome="recorded")


def test_deletion_covers_items_without_a_driver() -> None:
    # GIVEN items of executions with the course's input format (`image_data`, `s3_bucket`, `s3_key`), one of which is
    # for an object that has only a delete marker
    kept = [latest_item("incoming/zoey/5.jpg"), latest_item("test/5.jpg")]
    dynamodb = FakeDynamoDB(
        vehicles=[latest_item("incoming/zoe/5.jpg"), latest_item("incoming/zoe/a/6.jpg"), *kept],
        drivers=[],
    )
    s3 = FakeS3(
        ("incoming/zoe/5.jpg", "1"),
        ("incoming/zoe/5.jpg", "2"),
        ("incoming/zoe/a/6.jpg", "marker"),
        ("incoming/zoe/7.jpg", "1"),
        ("incoming/zoey/5.jpg", "1"),
    )

    # WHEN
    deleted = delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb)

    # THEN
    assert deleted == (4, 2)
    assert dynamodb.tables["vehicles"] == kept


@pytest.mark.parametrize("calls", range(4))
def test_interrupted_deletion_can_be_repeated(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    # GIVEN a deletion that is interrupted after `calls` items were deleted
    s3 = FakeS3(("incoming/zoe/5.jpg", "1"), ("incoming/zoe/6.jpg", "1"))
    vehicles = [latest_item("incoming/zoe/5.jpg"), latest_item("incoming/zoe/6.jpg"), vehicle("zoe", "5.jpg")]
    dynamodb = FakeDynamoDB(vehicles=vehicles, drivers=[driver_item("zoe")])
    delete_item, made = dynamodb.delete_item, iter(range(calls))

    def interrupted(**arguments: Any) -> dict[str, Any]:
        if next(made, None) is None:
            raise KeyboardInterrupt
        return delete_item(**arguments)

    monkeypatch.setattr(dynamodb, "delete_item", interrupted)
    with pytest.raises(KeyboardInterrupt):
        delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb)

    # WHEN
    monkeypatch.undo()
    delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb)

    # THEN
    assert (s3.versions, dynamodb.tables) == ([], {"vehicles": [], "drivers": []})


def test_items_without_a_driver_are_deleted_even_if_s3_refuses_to_delete_the_objects() -> None:
    # GIVEN
    s3 = FakeS3(("incoming/zoe/5.jpg", "1"), refused="incoming/zoe/5.jpg")
    dynamodb = FakeDynamoDB(vehicles=[latest_item("incoming/zoe/5.jpg")], drivers=[])

    # WHEN
    with pytest.raises(DriverError, match="Run the same command again"):
        delete_driver(STORE, "zoe", s3=s3, dynamodb=dynamodb)

    # THEN
    assert dynamodb.tables["vehicles"] == []
