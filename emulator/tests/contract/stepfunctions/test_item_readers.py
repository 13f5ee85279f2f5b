"""The ItemReader of a Distributed Map: CSV delimiters, manifests and unreadable datasets.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

import gzip
import json
from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ..statemachines import StateMachines, single


def map_over_object(bucket: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a definition with a Distributed Map that reads the object `items`, and outputs its items.

    config : the ReaderConfig
    more   : more fields of the Map state
    """
    return single(
        Type="Map",
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": config,
            "Parameters": {"Bucket": bucket, "Key": "items"},
        },
        ItemProcessor={
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "One",
            "States": {"One": {"Type": "Pass", "End": True}},
        },
        **more,
    )


def store(emulator: RunningEmulator, **objects: bytes) -> str:
    """Create a bucket with objects and return the bucket's name."""
    bucket = f"bucket-{uuid4()}"
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=bucket)
    for key, body in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    return bucket


@pytest.mark.parametrize(
    ("delimiter", "character"),
    [("COMMA", ","), ("PIPE", "|"), ("SEMICOLON", ";"), ("SPACE", " "), ("TAB", "\t")],
    ids=lambda value: value if value.isalpha() else "",
)
def test_csv_file_is_split_at_the_configured_delimiter(
    emulator: RunningEmulator, machines: StateMachines, delimiter: str, character: str
) -> None:
    # GIVEN a CSV file whose last row lacks a cell
    bucket = store(emulator, items="a,b\n1,2\n3\n".replace(",", character).encode())

    # WHEN it is read
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": delimiter}
    output = machines.output(map_over_object(bucket, config))

    # THEN its rows are the items, with empty text for the missing cell
    assert output == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]


def test_items_are_the_objects_in_an_s3_inventory(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN an S3 inventory report of two files, one of which is compressed
    bucket = store(emulator, **{"one.csv.gz": gzip.compress(b'"photos","a.jpg","1"\n'), "two.csv": b"photos,b.jpg,2\n"})
    manifest = {
        "sourceBucket": "photos",
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "one.csv.gz"}, {"key": "two.csv"}],
    }
    emulator.client("s3").put_object(Bucket=bucket, Key="items", Body=json.dumps(manifest).encode())

    # WHEN the manifest is read
    output = machines.output(map_over_object(bucket, {"InputType": "MANIFEST", "MaxItems": 10}))

    # THEN the objects are the items
    assert output == [
        {"Bucket": "photos", "Key": "a.jpg", "Size": "1"},
        {"Bucket": "photos", "Key": "b.jpg", "Size": "2"},
    ]


def test_items_are_the_rows_of_files_in_an_athena_manifest(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a manifest of Athena's UNLOAD statement, which names one file
    bucket = store(emulator, data=b'{"n": 1}\n{"n": 2}\n')
    emulator.client("s3").put_object(Bucket=bucket, Key="items", Body=f"s3://{bucket}/data\n".encode())

    # WHEN it is read
    output = machines.output(map_over_object(bucket, {"InputType": "JSONL", "ManifestType": "ATHENA_DATA"}))

    # THEN the lines of this file are the items
    assert output == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("body", "config"),
    [
        (None, {"InputType": "JSON"}),
        (b'{"n": ', {"InputType": "JSON"}),
        (b'{"n": 1}', {"InputType": "JSON"}),
        (b'{"n": 1}\nbroken\n', {"InputType": "JSONL"}),
        (b"a,a\n1,2\n", {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
        (b"\xff\xfe", {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
        (b"{}", {"InputType": "MANIFEST"}),
    ],
    ids=["missing", "broken", "no-list", "broken-line", "duplicate-header", "encoding", "manifest"],
)
def test_unreadable_dataset_fails_and_can_be_caught(
    emulator: RunningEmulator, machines: StateMachines, body: bytes | None, config: dict[str, str]
) -> None:
    # GIVEN a Distributed Map with a Catch, and a dataset that cannot be read
    bucket = store(emulator, **({} if body is None else {"items": body}))
    definition = map_over_object(bucket, config, Catch=[{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Caught"}])
    definition["States"]["Caught"] = {"Type": "Pass", "End": True}

    # WHEN it runs
    output = machines.output(definition)

    # THEN the Catch matches AWS's error
    assert output["Error"] == "States.ItemReaderFailed"
