"""DynamoDB's conditional writes and transactions are atomic, even if many clients write at the same time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from .functions import unique


@pytest.fixture
def dynamodb(emulator: RunningEmulator) -> Any:
    """A DynamoDB client."""
    return emulator.client("dynamodb")


@pytest.fixture
def tables(dynamodb: Any) -> tuple[str, str]:
    """The names of two tables: `photos` with a partition and a sort key, and `drivers` with only a partition key."""
    names = (unique("photos"), unique("drivers"))
    for name, keys in zip(names, (("id", "version"), ("id",)), strict=True):
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )
    return names


def text(**values: str) -> dict[str, Any]:
    """Return string attributes in DynamoDB's format."""
    return {name: {"S": value} for name, value in values.items()}


def count(dynamodb: Any, table: str) -> int:
    """Return the number of items in a table."""
    return int(dynamodb.scan(TableName=table, Select="COUNT")["Count"])


def put(table: str, condition: str, **values: str) -> dict[str, Any]:
    """Return the operation of a transaction that puts an item with string attributes if the condition is met."""
    return {"Put": {"TableName": table, "Item": text(**values), "ConditionExpression": condition}}


def test_cancelled_transaction_does_not_undo_simultaneous_writes(dynamodb: Any, tables: tuple[str, str]) -> None:
    # GIVEN a driver's item that exists, so that every transaction that creates this item is cancelled
    photos, drivers = tables
    dynamodb.put_item(TableName=drivers, Item=text(id="driver", newest="9"))
    # AND 200 photographs: a rollback that copied and restored them would be slow, and would undo simultaneous writes
    for start in range(0, 200, 25):
        puts = [{"PutRequest": {"Item": text(id=f"old-{start + n}", version="1")}} for n in range(25)]
        dynamodb.batch_write_item(RequestItems={photos: puts})

    def write(number: int) -> bool:
        items = [put(photos, "attribute_not_exists(id)", id=str(number), version="1")]
        if number % 2:
            items.append(put(drivers, "attribute_not_exists(id)", id="driver", newest="1"))
        try:
            dynamodb.transact_write_items(TransactItems=items)
        except dynamodb.exceptions.TransactionCanceledException:
            return False
        return True

    # WHEN 64 transactions run at the same time, half of which are cancelled
    with ThreadPoolExecutor(8) as pool:
        succeeded = sum(pool.map(write, range(64)))

    # THEN the other half has written its photographs, and the driver's item is unchanged
    assert succeeded == count(dynamodb, photos) - 200 == 32
    assert dynamodb.get_item(TableName=drivers, Key=text(id="driver"))["Item"] == text(id="driver", newest="9")


def test_only_one_of_many_simultaneous_conditional_writes_succeeds(dynamodb: Any, tables: tuple[str, str]) -> None:
    # GIVEN
    photos, _ = tables

    def write(number: int) -> bool:
        item = {"TableName": photos, "Item": text(id="one", version="1", writer=str(number))}
        try:
            dynamodb.put_item(ConditionExpression="attribute_not_exists(id)", **item)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    # WHEN / THEN
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(32))) == 1


def test_transaction_writes_all_its_items_or_none(dynamodb: Any, tables: tuple[str, str]) -> None:
    # GIVEN an update, a deletion and a put; and the same operations with a condition that fails
    photos, drivers = tables
    dynamodb.put_item(TableName=drivers, Item=text(id="a", vehicle="bicycle"))
    dynamodb.put_item(TableName=photos, Item=text(id="old", version="1"))
    items = [
        {
            "Update": {
                "TableName": drivers,
                "Key": text(id="a"),
                "UpdateExpression": "SET vehicle = :vehicle",
                "ExpressionAttributeValues": {":vehicle": {"S": "bus"}},
            }
        },
        {"Delete": {"TableName": photos, "Key": text(id="old", version="1")}},
        put(photos, "attribute_not_exists(id)", id="new", version="1"),
    ]
    failing = [*items, put(drivers, "attribute_exists(id)", id="b")]

    def state() -> tuple[Any, list[str]]:
        vehicle = dynamodb.get_item(TableName=drivers, Key=text(id="a"))["Item"]["vehicle"]["S"]
        return vehicle, sorted(item["id"]["S"] for item in dynamodb.scan(TableName=photos)["Items"])

    # WHEN one condition fails, THEN no item changes
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=failing)
    assert state() == ("bicycle", ["old"])

    # WHEN all conditions hold, THEN all items change
    dynamodb.transact_write_items(TransactItems=items)
    assert state() == ("bus", ["new"])


def test_transaction_with_an_unknown_table_writes_nothing(dynamodb: Any, tables: tuple[str, str]) -> None:
    # WHEN / THEN
    items = [put(tables[1], "attribute_not_exists(id)", id="a"), put("missing", "attribute_not_exists(id)", id="a")]
    with pytest.raises(ClientError):
        dynamodb.transact_write_items(TransactItems=items)
    assert count(dynamodb, tables[1]) == 0
