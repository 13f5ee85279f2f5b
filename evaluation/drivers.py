"""List the drivers on record, explain the record of one driver, and delete all data about a driver."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from common.errors import OperatorError
from common.inference_ids import key_digits
from common.s3 import THREADS, split_url
from evaluation.execution_text import wrap

COLUMNS = "{:<20} {:<12} {:>10} {:<14} {}"
INDEX = "driver"  # name of the vehicles table's index, which sorts a driver's photographs by time
SHOWN_PHOTOGRAPHS = 10
EXECUTION = "execution"  # title of the row with the command that shows the execution
LATEST = "latest"  # version in the items that are written for the course's input format (`s3_bucket`, `s3_key`)
DELETE_LIMIT = 1000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
# The names that the state machine accepts: terraform/modules/state_machine_definition/event_states.tf
DRIVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Item = Mapping[str, Any]


class DriverError(OperatorError):
    """A driver's name is invalid or not on record, or data about a driver could not be deleted."""


@dataclass(frozen=True)
class DriverStore:
    """The tables, the bucket and the key prefixes that contain data about drivers.

    Attributes
    ----------
    vehicles_table, drivers_table : names of the DynamoDB tables
    bucket : name of the S3 bucket
    incoming_prefix, review_prefix, labels_prefix : key prefixes of photographs, of review entries and of labels
    """

    vehicles_table: str
    drivers_table: str
    bucket: str
    incoming_prefix: str
    review_prefix: str
    labels_prefix: str


def check_name(driver: str) -> str:
    """Return `driver` if it is a valid name of a driver.

    Raises
    ------
    DriverError
        The name is invalid.
    """
    if not DRIVER.fullmatch(driver):
        raise DriverError(
            f"ID must be 1 to 64 letters, digits, dots, dashes and underscores, such as driver-1 (got {driver!r})"
        )
    return driver


def check_segment(driver: str) -> str:
    """Return `driver` if a key can contain it between two slashes.

    Unlike `check_name`, this function accepts names that the state machine rejects. Photographs of drivers with such
    names can exist, although their executions fail, and it must be possible to delete the photographs.

    Raises
    ------
    DriverError
        The name is empty, `.` or `..`, or has a slash.
    """
    if driver in ("", ".", "..") or "/" in driver:
        raise DriverError(f"ID must be a name without slashes, and not '.' or '..', such as driver-1 (got {driver!r})")
    return driver


def list_drivers(store: DriverStore, *, dynamodb: Any) -> list[Item]:
    """Return the items of all drivers, by name."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=store.drivers_table, ConsistentRead=True)
    return sorted((plain(item) for page in pages for item in page["Items"]), key=lambda item: str(item["driver"]))


def driver_table(drivers: Iterable[Item]) -> Iterator[str]:
    """Yield the rows of a table of drivers."""
    yield COLUMNS.format("driver", "vehicle", "confidence", "zone", "photographed (UTC)")
    for item in drivers:
        confidence = f"{item['confidence']:.4f}"
        yield COLUMNS.format(item["driver"], item["vehicle"], confidence, format_zone(item), item["photographed"])


def explain_driver(store: DriverStore, driver: str, *, environment: str, dynamodb: Any) -> Iterator[tuple[str, str]]:
    """Yield the title and text of each fact about a driver.

    Parameters
    ----------
    store : location of the data about drivers
    driver : the driver's name
    environment : the environment's name, for the command that shows the execution
    dynamodb : DynamoDB client

    Raises
    ------
    DriverError
        The driver has neither a vehicle nor a photograph on record.
    """
    key = {"driver": {"S": driver}}
    found = dynamodb.get_item(TableName=store.drivers_table, Key=key, ConsistentRead=True).get("Item")
    photographs = list(find_photographs(store, driver, dynamodb=dynamodb))
    if not found and not photographs:
        raise DriverError(f"the driver {driver} is not on record: `make drivers` lists all drivers on record")
    if found:
        yield from _vehicle_rows(store, plain(found), environment=environment, dynamodb=dynamodb)
    else:
        yield "vehicle", "none on record, because no photograph was classified with enough confidence"
    for number, photograph in enumerate(photographs[:SHOWN_PHOTOGRAPHS]):
        title = f"newest {min(len(photographs), SHOWN_PHOTOGRAPHS)} of {len(photographs)}" if number == 0 else ""
        yield title, _describe_photograph(find_item(store, photograph, dynamodb=dynamodb))


def driver_lines(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines that describe a driver, with at most 80 columns.

    Only a command may be longer, because a command that is divided into lines cannot be copied.
    """
    rows = list(facts)
    indent = max(len(title) for title, _ in rows) + 2
    for title, text in rows:
        if title == EXECUTION:
            yield f"{title:<{indent}}{text}"
        else:
            yield from wrap(title, text, indent)


def _vehicle_rows(store: DriverStore, item: Item, *, environment: str, dynamodb: Any) -> Iterator[tuple[str, str]]:
    image = find_item(store, item, dynamodb=dynamodb)
    yield "vehicle", f"{item['vehicle']}, confidence {item['confidence']:.4f}"
    yield "zone", format_zone(item)
    yield "photographed", f"{item['photographed']} (recorded {item['recorded'][:19]}Z)"
    yield "image", item["image"]
    yield "version", item["version"]
    ranked = sorted(image.get("probabilities", {}).items(), key=lambda pair: -pair[1])
    yield "probabilities", ", ".join(f"{name} {probability:.4f}" for name, probability in ranked)
    yield "model", item["model_version"]
    yield EXECUTION, f"make execution ENV={environment} ID={item['execution'].rpartition(':')[2]}"


def _describe_photograph(item: Item) -> str:
    result = item.get("error") or item.get("class", "")
    return f"{item['photographed']}  {item['outcome']:<10}  {result}  {item['image']}"


def format_zone(item: Item) -> str:
    """Return an item's zone as text, with the radius unless the radius is 0, as for an unassigned zone."""
    return f"{item['zone']}, {item['radius_km']:g} km" if item["radius_km"] else str(item["zone"])


def find_photographs(store: DriverStore, driver: str, *, dynamodb: Any) -> Iterator[Item]:
    """Yield the entries of a driver's photographs in the index of the vehicles table, newest first.

    An entry contains only the keys of the item and of the index.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=store.vehicles_table,
        IndexName=INDEX,
        KeyConditionExpression="driver = :driver",
        ExpressionAttributeValues={":driver": {"S": driver}},
        ScanIndexForward=False,
    )
    for page in pages:
        yield from map(plain, page["Items"])


def find_item(store: DriverStore, photograph: Item, *, dynamodb: Any) -> Item:
    """Return the item of a photograph, or `photograph` with the outcome `expired` if the item has expired."""
    found = dynamodb.get_item(TableName=store.vehicles_table, Key=item_key(photograph), ConsistentRead=True)
    return plain(found["Item"]) if "Item" in found else {"outcome": "expired", **photograph}


def item_key(photograph: Item) -> dict[str, Any]:
    """Return the primary key of a photograph's item in DynamoDB's format."""
    return {name: {"S": photograph[name]} for name in ("image", "version")}


def delete_driver(store: DriverStore, driver: str, *, s3: Any, dynamodb: Any) -> tuple[int, int]:
    """Delete a driver's photographs with all versions, review entries, answers and items.

    An interrupted deletion can be run again, because of the order of the deletions: objects and items that are found
    only through the keys of photographs are deleted before the photographs, and the driver's item is deleted last.

    Returns
    -------
    int, int
        The numbers of deleted object versions and of deleted items.

    Raises
    ------
    DriverError
        S3 refused to delete an object.
    """
    versions = list(find_versions(store, driver, s3=s3))
    photographs = list(find_photographs(store, driver, dynamodb=dynamodb))
    keys = {split_url(photograph["image"])[1] for photograph in photographs}
    keys |= {version["Key"] for version in versions if version["Key"].startswith(f"{store.incoming_prefix}/")}
    reviewed = find_reviewed(store, keys, s3=s3)
    _delete_versions(store, reviewed, s3=s3)
    latest = _delete_latest_items(store, versions, dynamodb=dynamodb)
    _delete_versions(store, versions, s3=s3)
    for photograph in photographs:
        dynamodb.delete_item(TableName=store.vehicles_table, Key=item_key(photograph))
    deleted = dynamodb.delete_item(TableName=store.drivers_table, Key={"driver": {"S": driver}}, ReturnValues="ALL_OLD")
    return len(versions) + len(reviewed), latest + len(photographs) + ("Attributes" in deleted)


def _delete_latest_items(store: DriverStore, versions: Iterable[Mapping[str, str]], *, dynamodb: Any) -> int:
    """Delete the items that executions with the course's input format wrote for the given keys; return their number.

    These items contain no driver, so the index that sorts by driver does not contain them.
    """
    number = 0
    for key in sorted({version["Key"] for version in versions}):
        photograph = {"image": f"s3://{store.bucket}/{key}", "version": LATEST}
        deleted = dynamodb.delete_item(TableName=store.vehicles_table, Key=item_key(photograph), ReturnValues="ALL_OLD")
        number += "Attributes" in deleted
    return number


def _delete_versions(store: DriverStore, versions: Sequence[Mapping[str, str]], *, s3: Any) -> None:
    for start in range(0, len(versions), DELETE_LIMIT):
        batch = versions[start : start + DELETE_LIMIT]
        response = s3.delete_objects(Bucket=store.bucket, Delete={"Objects": batch, "Quiet": True})
        for error in response.get("Errors", ()):
            raise DriverError(f"S3 refused to delete {error['Key']}: {error['Message']}. Run the same command again")


def find_versions(store: DriverStore, driver: str, *, s3: Any) -> Iterator[dict[str, str]]:
    """Yield the key and the version of each object and delete marker of a driver."""
    versions = s3.get_paginator("list_object_versions")
    reviews = versions.paginate(Bucket=store.bucket, Prefix=f"{store.review_prefix}/", Delimiter="/")
    errors = [each["Prefix"] for page in reviews for each in page.get("CommonPrefixes", ())]
    for prefix in (f"{store.incoming_prefix}/", *errors):
        for page in versions.paginate(Bucket=store.bucket, Prefix=f"{prefix}{driver}/"):
            yield from _versions(page)


def find_reviewed(store: DriverStore, keys: Iterable[str], *, s3: Any) -> list[dict[str, str]]:
    """Return the key and version of the objects that the review made of photographs: copies, entries and answers.

    The keys of these objects do not contain the driver. They begin with a hash of the photograph's key, which is the
    same for all versions of the photograph.

    Parameters
    ----------
    keys : keys of the photographs
    """

    def find(prefix: str) -> list[dict[str, str]]:
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=store.bucket, Prefix=prefix)
        return [version for page in pages for version in _versions(page)]

    folders = (f"{store.review_prefix}/selected/", f"{store.labels_prefix}/answers/")
    prefixes = [f"{folder}{key_digits(key)}" for key in sorted(keys) for folder in folders]
    with ThreadPoolExecutor(THREADS) as pool:
        return [version for found in pool.map(find, prefixes) for version in found]


def _versions(page: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
        yield {"Key": each["Key"], "VersionId": each["VersionId"]}


def plain(item: Mapping[str, Any]) -> Item:
    """Return a DynamoDB item as Python values, with each number as a Decimal."""
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
