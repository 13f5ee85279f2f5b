"""`ItemReader` of a Distributed Map: read items from S3 listings, JSON, JSON Lines and CSV files, and manifests.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

import csv
import gzip
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader import item_reader_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.reader_config import input_type
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

from sagelocal.core.patching import replace
from sagelocal.services.stepfunctions.state_failures import as_exception, failure

CHUNK = 1 << 20  # bytes
DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
UNREADABLE = (
    *(BotoCoreError, ClientError, ValueError, KeyError, TypeError, EOFError, OSError),
    *(RecursionError, csv.Error, zlib.error),
)


class InputTypeValue(Enum):
    """The input types that the emulator supports; moto supports only two of them."""

    CSV = "CSV"
    JSON = "JSON"
    JSONL = "JSONL"
    MANIFEST = "MANIFEST"


class Readable(Protocol):
    """A binary file object, such as the body of an S3 response, or a gzip file that decompresses it."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, or all remaining bytes if `size` is -1."""


class ReaderError(ValueError):
    """The dataset does not have the format that the reader's configuration states."""


def install() -> None:
    """Let moto's parser accept all input types, and disable moto's reader, which `read` replaces."""

    def create(self: Any, input_type: str) -> None:
        self.input_type_value = InputTypeValue(input_type)

    replace(input_type.InputType, "__init__", create, parameters=("input_type",))
    replace(item_reader_decl, "resource_output_transformer_for", lambda input_type: None, parameters=("input_type",))


def read(env: Any, reader: Any, fields: dict[str, Any]) -> Iterator[Any]:
    """Yield the items of a dataset.

    Parameters
    ----------
    env
        moto's environment of the Map state.
    reader
        moto's `ItemReader` object.
    fields
        Fields of `ReaderConfig` that moto's grammar lacks.

    Raises
    ------
    FailureEventException
        If the dataset cannot be read. The error name is `States.ItemReaderFailed`, as on AWS.
    """
    config = _config(env, reader) | fields
    reader.parargs.eval(env=env)
    parameters = env.stack.pop()
    client = boto_client_for(region=env.aws_execution_details.region, service="s3")
    try:
        if reader.resource.api_action == "listObjectsV2":
            items: Iterable[Any] = _listed(client, parameters)
        else:
            items = _parsed(client, client.get_object(**parameters)["Body"], config)
        yield from itertools.islice(items, config.get("MaxItemsValue"))
    except UNREADABLE as error:
        event = HistoryEventType.MapRunFailed
        raise as_exception(failure(env, event, error="States.ItemReaderFailed", cause=str(error))) from error


def _config(env: Any, reader: Any) -> dict[str, Any]:
    if reader.reader_config is None:
        return {}
    reader.reader_config.eval(env=env)
    return {**env.stack.pop(), "InputType": reader.reader_config.input_type.input_type_value.value}


def _listed(client: Any, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an item for every object with the key prefix. The items have the same members as on AWS."""
    for page in client.get_paginator("list_objects_v2").paginate(**parameters):
        for entry in page.get("Contents", []):
            yield {
                "Etag": entry["ETag"],
                "Key": entry["Key"],
                "LastModified": int(entry["LastModified"].timestamp()),
                "Size": entry["Size"],
                "StorageClass": entry.get("StorageClass", "STANDARD"),
            }


def _parsed(client: Any, body: Readable, config: dict[str, Any]) -> Iterable[Any]:
    kind = config.get("InputType", "JSON")
    if config.get("ManifestType") == "ATHENA_DATA":
        return _athena_items(client, body, config)
    if kind == "MANIFEST":
        return _inventory_items(client, json.loads(body.read()))
    if kind == "JSONL":
        return (json.loads(line) for line in _lines(body) if line.strip())
    if kind == "CSV":
        return _rows(body, config)
    items = json.loads(body.read().decode())
    if not isinstance(items, list):
        raise ReaderError("Attempting to map over non-iterable node.")
    return items


def _rows(body: Readable, config: dict[str, Any]) -> Iterator[dict[str, str]]:
    delimiter = DELIMITERS.get(config.get("CSVDelimiter", "COMMA"))
    if delimiter is None:
        raise ReaderError(f"CSVDelimiter must be one of {', '.join(DELIMITERS)} (got {config['CSVDelimiter']})")
    rows = csv.reader(_lines(body), delimiter=delimiter)
    headers = config["CSVHeaders"] if config.get("CSVHeaderLocation") == "GIVEN" else next(rows, [])
    if len(set(headers)) < len(headers):
        raise ReaderError("CSV headers cannot contain duplicates.")
    for row in rows:
        if row:
            yield dict(itertools.zip_longest(headers, row[: len(headers)], fillvalue=""))


def _inventory_items(client: Any, manifest: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the objects of an S3 inventory report.

    Source of the format: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
    """
    if manifest["fileFormat"] != "CSV":
        raise ReaderError(f"fileFormat of the inventory must be CSV (got {manifest['fileFormat']})")
    headers = [name.strip() for name in manifest["fileSchema"].split(",")]
    bucket = manifest["destinationBucket"].removeprefix("arn:aws:s3:::")
    for file in manifest["files"]:
        body = _opened(client, bucket, file["key"])
        yield from _rows(body, {"CSVHeaderLocation": "GIVEN", "CSVHeaders": headers})


def _athena_items(client: Any, body: Readable, config: dict[str, Any]) -> Iterator[Any]:
    """Yield the items of the files that an Athena UNLOAD manifest lists, one S3 URI per line."""
    data = {name: value for name, value in config.items() if name != "ManifestType"}
    for line in filter(None, map(str.strip, _lines(body))):
        bucket, _, key = line.removeprefix("s3://").partition("/")
        yield from _parsed(client, _opened(client, bucket, key), data)


def _opened(client: Any, bucket: str, key: str) -> Readable:
    body: Any = client.get_object(Bucket=bucket, Key=key)["Body"]
    return gzip.GzipFile(fileobj=body) if key.endswith(".gz") else body


def _lines(body: Readable) -> Iterator[str]:
    """Yield the lines of a file, which is never in memory as a whole.

    A quoted cell of a CSV file can continue on the next line.
    """
    rest = b""
    while chunk := body.read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() + "\n" for line in lines)
    if rest:
        yield rest.decode()
