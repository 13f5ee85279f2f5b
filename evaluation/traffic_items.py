"""Read the workflow's results for object versions: DynamoDB items, review entries and executions."""

import json
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from common.s3 import list_objects

BATCH = 100  # DynamoDB's limit: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
THROTTLED_SECONDS = 1.0  # pause before keys that DynamoDB did not process are requested again
ENDED = ("FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED")

Key = tuple[str, str]  # image (its S3 URI) and version

deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True)
class Items:
    """The result of a batch read from DynamoDB.

    Attributes
    ----------
    items : items that exist, by their keys
    unread : keys that DynamoDB did not process, for example because of throttling
    """

    items: Mapping[Key, Mapping[str, Any]]
    unread: Collection[Key]


@dataclass(frozen=True)
class EventExecution:
    """An execution and the object version that it classifies.

    Attributes
    ----------
    key : the object version; None if no S3 event started the execution
    result : name of the error, or the status if there is no error
    """

    arn: str
    key: Key | None
    result: str


def read_items(table: str, keys: Sequence[Key], *, dynamodb: Any) -> Items:
    """Return the items of object versions, from strongly consistent reads."""
    names = ("image", "version")
    requested = [{name: {"S": value} for name, value in zip(names, key, strict=True)} for key in keys]
    found, unread = batch_get(table, requested, dynamodb=dynamodb)
    return Items(
        {(item["image"], item["version"]): item for item in found},
        {(key["image"]["S"], key["version"]["S"]) for key in unread},
    )


def read_all_items(table: str, keys: Sequence[Key], *, dynamodb: Any) -> dict[Key, Mapping[str, Any]]:
    """Return the items of object versions, and retry the keys that DynamoDB did not process."""
    items: dict[Key, Mapping[str, Any]] = {}
    while keys:
        result = read_items(table, keys, dynamodb=dynamodb)
        items |= result.items
        keys = list(result.unread)
        _pause_before_retry(keys)
    return items


def _pause_before_retry(unread: Sequence[Any]) -> None:
    if unread:
        time.sleep(THROTTLED_SECONDS)


def read_drivers(table: str, drivers: Sequence[str], *, dynamodb: Any) -> dict[str, dict[str, Any]]:
    """Return the items of drivers by name, without drivers that have no item."""
    keys = [{"driver": {"S": driver}} for driver in drivers]
    items: dict[str, dict[str, Any]] = {}
    while keys:
        found, keys = batch_get(table, keys, dynamodb=dynamodb)
        items |= {item["driver"]: item for item in found}
        _pause_before_retry(keys)
    return items


def batch_get(
    table: str, keys: Sequence[dict[str, Any]], *, dynamodb: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the items with these primary keys, and the keys that DynamoDB did not process."""
    found: list[dict[str, Any]] = []
    unread: list[dict[str, Any]] = []
    for start in range(0, len(keys), BATCH):
        request = {table: {"Keys": keys[start : start + BATCH], "ConsistentRead": True}}
        response = dynamodb.batch_get_item(RequestItems=request)
        found += [
            {name: deserialize(value) for name, value in item.items()} for item in response["Responses"].get(table, ())
        ]
        unread += response.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ())
    return found, unread


def review_entries(bucket: str, prefix: str, driver_prefix: str, *, s3: Any) -> dict[str, list[str]]:
    """Return the error names of the review entries `<prefix>/<error>/<driver>/<version>.json`, by version."""
    entries: dict[str, list[str]] = defaultdict(list)
    for folder in _folders(bucket, f"{prefix}/", s3=s3):
        for stored in list_objects(bucket, f"{folder}{driver_prefix}", s3=s3):
            version, dot, suffix = stored["Key"].rpartition("/")[2].rpartition(".")
            if dot and suffix == "json":
                entries[version].append(folder.split("/")[-2])
    return entries


def _folders(bucket: str, prefix: str, *, s3: Any) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        yield from (each["Prefix"] for each in page.get("CommonPrefixes", ()))


def executions(
    state_machine_arn: str, statuses: Sequence[str], *, started: float, known: Collection[str], states: Any
) -> Iterator[EventExecution]:
    """Yield the executions that started after `started` and have one of the statuses.

    Parameters
    ----------
    started : seconds since 1970
    known : ARNs of executions to leave out, which saves one request for each of them
    """
    for status in statuses:
        for arn in _executions_since(state_machine_arn, status, started, states=states):
            if arn not in known:
                description = states.describe_execution(executionArn=arn)
                key = _key_of(description.get("input", ""))
                yield EventExecution(arn, key, description.get("error") or description["status"])


def _executions_since(state_machine_arn: str, status: str, started: float, *, states: Any) -> Iterator[str]:
    """Yield the ARNs of the executions that started after `started`, from the newest to the oldest."""
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=state_machine_arn, statusFilter=status)
    for page in pages:
        for execution in page["executions"]:
            if execution["startDate"].timestamp() < started - 1:
                return
            yield execution["executionArn"]


def _key_of(text: str) -> Key | None:
    """Return the object version in an execution's input, or None if the input is not an S3 event."""
    try:
        detail = json.loads(text)["detail"]
        return f"s3://{detail['bucket']['name']}/{detail['object']['key']}", detail["object"]["version-id"]
    except (ValueError, KeyError, TypeError):
        return None
