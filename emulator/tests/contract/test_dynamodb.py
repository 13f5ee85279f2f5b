"""DynamoDB's transactions: all or nothing, and isolated from other requests.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from sagelocal.pytest_plugin import RunningEmulator

KEYS = ("image", "version")


@pytest.fixture
def dynamodb(emulator: RunningEmulator) -> Any:
    return emulator.client("dynamodb")


@pytest.fixture
def table(dynamodb: Any) -> str:
    """A table with a hash key, a range key and a stream."""
    name = f"table-{uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(KEYS, ("HASH", "RANGE"), strict=True)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    return name


def item(image: str, **attributes: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in {"image": image, "version": "1", **attributes}.items()}


def put(table: str, image: str, **attributes: str) -> dict[str, Any]:
    """Return a write that fails if the item exists."""
    condition = "attribute_not_exists(image)"
    return {"Put": {"TableName": table, "Item": item(image, **attributes), "ConditionExpression": condition}}


def stored(dynamodb: Any, table: str) -> dict[str, dict[str, Any]]:
    return {each["image"]["S"]: each for each in dynamodb.scan(TableName=table)["Items"]}


def stream_records(emulator: RunningEmulator, dynamodb: Any, table: str) -> int:
    streams, arn = (
        emulator.client("dynamodbstreams"),
        dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"],
    )
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    return len(streams.get_records(ShardIterator=start["ShardIterator"])["Records"])


def test_failed_transaction_changes_nothing(emulator: RunningEmulator, dynamodb: Any, table: str) -> None:
    # GIVEN
    dynamodb.put_item(TableName=table, Item=item("old", state="first"))
    update = {
        "TableName": table,
        "Key": {"image": {"S": "old"}, "version": {"S": "1"}},
        "UpdateExpression": "SET #state = :state",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":state": {"S": "second"}},
    }
    dynamodb.put_item(TableName=table, Item=item("taken"))

    # WHEN
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(TransactItems=[put(table, "new"), {"Update": update}, put(table, "taken")])

    # THEN
    assert "[None, None, ConditionalCheckFailed]" in str(caught.value)
    assert stored(dynamodb, table) == {"old": item("old", state="first"), "taken": item("taken")}
    assert stream_records(emulator, dynamodb, table) == 2


def test_successful_transaction_writes_all_items(emulator: RunningEmulator, dynamodb: Any, table: str) -> None:
    # WHEN
    dynamodb.transact_write_items(TransactItems=[put(table, "one"), put(table, "two")])

    # THEN
    assert set(stored(dynamodb, table)) == {"one", "two"}
    assert stream_records(emulator, dynamodb, table) == 2


def test_failed_transactions_do_not_undo_writes_of_other_requests(dynamodb: Any, table: str) -> None:
    # GIVEN
    dynamodb.put_item(TableName=table, Item=item("taken"))

    def fail(number: int) -> None:
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
            dynamodb.transact_write_items(TransactItems=[put(table, f"failed {number}"), put(table, "taken")])

    def write(number: int) -> None:
        if number % 2:
            dynamodb.put_item(TableName=table, Item=item(f"put {number}"))
        else:
            dynamodb.transact_write_items(TransactItems=[put(table, f"transaction {number}")])

    # WHEN
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(task, number) for number in range(100) for task in (write, fail)]
        for future in futures:
            future.result()

    # THEN
    assert len(stored(dynamodb, table)) == 101
