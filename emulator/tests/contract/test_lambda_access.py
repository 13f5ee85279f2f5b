"""Lambda: reserved concurrency, policies of versions and aliases, and unknown event source mappings."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ..waiting import eventually
from .functions import invoke, make_function

SOURCE = "def main(event, context):\n    return 1\n"


# Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
def test_versions_share_the_reserved_concurrency_and_free_it_after_the_invocation(emulator: Any) -> None:
    # GIVEN a function with a reserved concurrency of 1, which runs until the file `end` exists
    source = (
        "import pathlib, time\n"
        "def main(event, context):\n"
        "    pathlib.Path(event, 'started').touch()\n"
        "    while not pathlib.Path(event, 'end').exists(): time.sleep(0.01)\n"
    )
    client, name = emulator.client("lambda"), make_function(emulator, source, Publish=True)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with TemporaryDirectory(dir="/var/tmp") as shared, ThreadPoolExecutor(1) as threads:
        # AND an invocation that runs
        running = threads.submit(invoke, client, name, shared)
        eventually(Path(shared, "started").exists)
        # WHEN version 1 is invoked at the same time
        with pytest.raises(ClientError) as caught:
            invoke(client, name, shared, Qualifier="1")
        Path(shared, "end").touch()
        running.result()
        # THEN this invocation is refused, and the next one succeeds
        response: Any = caught.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert response["Error"]["Code"] == "TooManyRequestsException"
        assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert invoke(client, name, shared).error is None


# Source: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html and API_RemovePermission.html (Qualifier)
def test_function_version_and_alias_have_separate_policies(emulator: Any) -> None:
    # GIVEN
    client, name = emulator.client("lambda"), make_function(emulator, SOURCE, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    qualifiers: list[dict[str, str]] = [{}, {"Qualifier": "1"}, {"Qualifier": "live"}]

    def statements(**qualifier: str) -> list[Any]:
        return [
            (one["Sid"], one["Resource"].split(f":{name}")[-1])
            for one in json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])["Statement"]
        ]

    # WHEN
    for number, qualifier in enumerate(qualifiers):
        client.add_permission(
            FunctionName=name,
            StatementId=f"s{number}",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            **qualifier,
        )
    # THEN
    assert [statements(**one) for one in qualifiers] == [[("s0", "")], [("s1", ":1")], [("s2", ":live")]]
    client.remove_permission(FunctionName=name, StatementId="s2", Qualifier="live")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName=name, Qualifier="live")
    assert statements() == [("s0", "")]


# Source: https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html (errors)
@pytest.mark.parametrize("operation", ["get", "update", "delete"])
def test_unknown_event_source_mapping_is_not_found(functions: Any, operation: str) -> None:
    # GIVEN
    call = getattr(functions, f"{operation}_event_source_mapping")
    # WHEN / THEN
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        call(UUID="11111111-2222-3333-4444-555555555555")
