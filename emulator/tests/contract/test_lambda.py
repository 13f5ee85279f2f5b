"""Lambda functions: invocations, errors, logs, versions and updates."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.core.process import start_time

from ..waiting import eventually
from .functions import invoke, make_function, make_zip, unique

RETURN_PROCESS_ID = "import os\ndef main(event, context):\n    return os.getpid()\n"


def test_function_receives_event_context_and_environment_variables(emulator: Any) -> None:
    # GIVEN
    source = (
        "import os\n"
        "def main(event, context):\n"
        "    return [event, os.environ['COLOUR'], os.environ['AWS_REGION'], context.function_name,\n"
        "            context.function_version, context.memory_limit_in_mb, context.invoked_function_arn,\n"
        "            0 < context.get_remaining_time_in_millis() <= 20000]\n"
    )
    name = make_function(
        emulator, source, region="eu-west-1", Environment={"Variables": {"COLOUR": "red"}}, MemorySize=256
    )
    # WHEN
    response = invoke(emulator.client("lambda", "eu-west-1"), name, {"key": [1, "ü"]})
    # THEN
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"
    expected = [{"key": [1, "ü"]}, "red", "eu-west-1", name, "$LATEST", "256", arn, True]
    assert (response.status, response.error, response.payload) == (200, None, expected)


def test_sdk_in_a_function_calls_the_emulator(emulator: Any) -> None:
    # GIVEN
    name = make_function(
        emulator,
        "import boto3\ndef main(event, context):\n    return boto3.client('sts').get_caller_identity()['Account']\n",
    )
    # WHEN / THEN
    assert invoke(emulator.client("lambda"), name).payload == "123456789012"


def test_function_cannot_import_a_package_that_its_code_lacks(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, "import numpy\ndef main(event, context):\n    return 1\n")
    # WHEN
    response = invoke(emulator.client("lambda"), name)
    # THEN
    assert response.error == "Unhandled"
    assert response.payload["errorType"] == "Runtime.ImportModuleError"
    assert response.payload["errorMessage"] == "Unable to import module 'module': No module named 'numpy'"


def test_sequential_invocations_reuse_one_execution_environment(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, RETURN_PROCESS_ID)
    # WHEN
    responses = [invoke(emulator.client("lambda"), name) for _ in range(3)]
    # THEN
    assert len({response.payload for response in responses}) == 1
    assert ["Init Duration" in response.log for response in responses] == [True, False, False]


def test_concurrent_invocations_run_in_separate_execution_environments(emulator: Any) -> None:
    # GIVEN a function that returns only when two execution environments run
    source = (
        "import os, pathlib, time\n"
        "def main(event, context):\n"
        "    folder = pathlib.Path(event)\n"
        "    (folder / str(os.getpid())).touch()\n"
        "    while len(list(folder.iterdir())) < 2: time.sleep(0.01)\n"
        "    return os.getpid()\n"
    )
    name = make_function(emulator, source)
    # WHEN
    with TemporaryDirectory(dir="/var/tmp") as shared, ThreadPoolExecutor(2) as threads:
        responses = list(threads.map(lambda _: invoke(emulator.client("lambda"), name, shared).payload, range(2)))
    # THEN
    assert len(set(responses)) == 2


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        pytest.param("def main(event, context):\n    raise ValueError('no')\n", "ValueError", "no", id="raised"),
        pytest.param(
            "class THRESHOLD(Exception): pass\ndef main(event, context):\n    raise THRESHOLD('low')\n",
            "THRESHOLD",
            "low",
            id="own-class",
        ),
        pytest.param(
            "x = 1\n", "Runtime.HandlerNotFound", "Handler 'main' missing on module 'module'", id="no-handler"
        ),
        pytest.param(
            "import os\ndef main(event, context):\n    os._exit(3)\n",
            "Runtime.ExitError",
            "RequestId: {id} Error: Runtime exited with error: exit status 3",
            id="exit",
        ),
        pytest.param(
            "import os\nos._exit(3)\n",
            "Runtime.ExitError",
            "RequestId: {id} Error: Runtime exited with error: exit status 3",
            id="exit-at-init",
        ),
        pytest.param("1 / 0\n", "ZeroDivisionError", "division by zero", id="init"),
        pytest.param(
            "def main(event, context):\n    return {1, 2}\n",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
            id="not-json",
        ),
    ],
)
def test_failed_invocation_returns_aws_error_type_and_message(
    emulator: Any, source: str, kind: str, message: str
) -> None:
    # GIVEN
    name = make_function(emulator, source)
    # WHEN
    response = invoke(emulator.client("lambda"), name)
    # THEN
    request = re.search(r"START RequestId: (\S+) ", response.log)
    assert request
    assert (response.status, response.error, response.payload["errorType"]) == (200, "Unhandled", kind)
    assert response.payload["errorMessage"] == message.replace("{id}", request[1])


def test_stack_trace_contains_only_lines_of_the_function(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, "def main(event, context):\n    raise KeyError('x')\n")
    # WHEN
    trace = invoke(emulator.client("lambda"), name).payload["stackTrace"]
    # THEN
    assert len(trace) == 1
    assert re.search(r'module.py", line 2, in main\n    raise KeyError', trace[0])


def test_function_is_killed_at_its_timeout_and_then_runs_in_a_new_process(emulator: Any) -> None:
    # GIVEN
    source = "import os, time\ndef main(event, context):\n    if event: time.sleep(60)\n    return os.getpid()\n"
    name = make_function(emulator, source, Timeout=1)
    client = emulator.client("lambda")
    process = invoke(client, name, 0).payload
    # WHEN
    response = invoke(client, name, 1)
    # THEN
    assert response.error == "Unhandled"
    assert response.payload["errorType"] == "Sandbox.Timedout"
    assert response.payload["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert re.search(r"\n\S+Z \S+ Task timed out after 1.00 seconds\n", response.log)
    assert invoke(client, name, 0).payload != process


def test_log_stream_contains_the_output_of_the_function(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, "def main(event, context):\n    print('seen', event, context.log_stream_name)\n")
    # WHEN
    response = invoke(emulator.client("lambda"), name, 7)
    # THEN
    logs, group = emulator.client("logs"), f"/aws/lambda/{name}"
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])
    assert [event["message"].split(" ")[0] for event in events] == ["START", "seen", "END", "REPORT"]
    assert events[1]["message"] == f"seen 7 {stream['logStreamName']}"
    assert events[1]["message"] in response.log


def test_log_result_has_the_last_four_kilobytes_of_the_log(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, "def main(event, context):\n    print('x' * 300_000)\n")
    # WHEN
    log = invoke(emulator.client("lambda"), name).log
    # THEN
    assert len(log) == 4096
    assert log.startswith("xxx")
    assert "REPORT" in log


def test_versions_and_aliases_have_their_own_code_and_arn(emulator: Any) -> None:
    # GIVEN
    source = "def main(event, context):\n    return [{}, context.function_version, context.invoked_function_arn]\n"
    client = emulator.client("lambda")
    name = make_function(emulator, source.format(1), Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.update_function_code(FunctionName=name, ZipFile=make_zip({"module.py": source.format(2)}))
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    # WHEN
    newest, first, alias = (
        invoke(client, name),
        invoke(client, name, Qualifier="1"),
        invoke(client, f"{arn}:live"),
    )
    # THEN
    assert newest.payload == [2, "$LATEST", arn]
    assert first.payload == [1, "1", f"{arn}:1"]
    assert alias.payload == [1, "1", f"{arn}:live"]
    assert [response.version for response in (newest, first, alias)] == ["$LATEST", "1", "1"]


def test_version_can_be_published_while_log_groups_change(emulator: Any) -> None:
    # GIVEN 200 log groups, and threads that create and delete further ones
    logs, finished = emulator.client("logs"), Event()
    for _ in range(200):
        logs.create_log_group(logGroupName=unique("/many"))

    def change_log_groups() -> None:
        while not finished.is_set():
            name = unique("/group")
            logs.create_log_group(logGroupName=name)
            logs.delete_log_group(logGroupName=name)

    # WHEN functions are created and published at the same time
    with ThreadPoolExecutor(4) as pool:
        changes = [pool.submit(change_log_groups) for _ in range(4)]
        try:
            names = [make_function(emulator, "def main(event, context): return 1", Publish=True) for _ in range(20)]
        finally:
            finished.set()
    for change in changes:
        change.result()

    # THEN
    client = emulator.client("lambda")
    assert all(client.get_function(FunctionName=name, Qualifier="1") for name in names)


def test_alias_distributes_traffic_by_weight(emulator: Any) -> None:
    # GIVEN an alias that routes half of the invocations to version 2
    client = emulator.client("lambda")
    name = make_function(emulator, "def main(event, context):\n    return context.function_version\n", Publish=True)
    client.update_function_configuration(FunctionName=name, MemorySize=256)
    client.publish_version(FunctionName=name)
    client.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    # WHEN / THEN
    versions: set[str] = set()

    def both_versions_ran() -> bool:
        versions.add(invoke(client, name, Qualifier="live").payload)
        return versions == {"1", "2"}

    eventually(both_versions_ran)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda client, name: client.update_function_code(
                FunctionName=name,
                ZipFile=make_zip({"module.py": "def main(event, context):\n    return 'new'\n"}),
            ),
            "new",
            id="code",
        ),
        pytest.param(
            lambda client, name: client.update_function_configuration(
                FunctionName=name, Environment={"Variables": {"VALUE": "changed"}}
            ),
            "changed",
            id="configuration",
        ),
    ],
)
def test_update_takes_effect_at_once_and_ends_old_processes(emulator: Any, change: Any, expected: str) -> None:
    # GIVEN
    source = "import os\ndef main(event, context):\n    return os.environ.get('VALUE') or str(os.getpid())\n"
    client = emulator.client("lambda")
    name = make_function(emulator, source)
    process = int(invoke(client, name).payload)
    # WHEN
    change(client, name)
    # THEN
    assert invoke(client, name).payload == expected
    eventually(lambda: not _is_running(process))


def test_deleting_a_function_ends_its_processes(emulator: Any) -> None:
    # GIVEN
    client = emulator.client("lambda")
    name = make_function(emulator, RETURN_PROCESS_ID)
    process = invoke(client, name).payload
    # WHEN
    client.delete_function(FunctionName=name)
    # THEN
    eventually(lambda: not _is_running(process))


def test_asynchronous_invocation_runs_in_the_background(emulator: Any) -> None:
    # GIVEN
    bucket = unique("events")
    emulator.client("s3").create_bucket(Bucket=bucket)
    name = make_function(
        emulator,
        "import boto3\ndef main(event, context):\n    boto3.client('s3').put_object(Bucket=event, Key='ran')\n",
    )
    # WHEN
    response = emulator.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(bucket))
    # THEN
    assert (response["StatusCode"], response["Payload"].read()) == (202, b"")
    eventually(lambda: emulator.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"])


def test_asynchronous_event_that_fails_is_sent_to_the_dead_letter_queue(emulator: Any) -> None:
    # GIVEN a function that always fails, with one retry and a dead-letter queue
    sqs = emulator.client("sqs")
    url = sqs.create_queue(QueueName=unique("dead"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = make_function(
        emulator, "def main(event, context):\n    raise ValueError\n", DeadLetterConfig={"TargetArn": arn}
    )
    client = emulator.client("lambda")
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    # WHEN
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"a": 1}')
    # THEN
    messages = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    assert messages[0]["Body"] == '{"a": 1}'


def test_dry_run_does_not_run_the_function(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, RETURN_PROCESS_ID)
    # WHEN
    response = emulator.client("lambda").invoke(FunctionName=name, InvocationType="DryRun")
    # THEN
    assert response["StatusCode"] == 204
    groups = emulator.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")
    assert groups["logGroups"] == []


def test_function_can_import_a_module_of_its_layer(emulator: Any) -> None:
    # GIVEN
    layer = emulator.client("lambda").publish_layer_version(
        LayerName=unique("layer"), Content={"ZipFile": make_zip({"python/shared.py": "ANSWER = 42\n"})}
    )
    name = make_function(
        emulator,
        "import shared\ndef main(event, context):\n    return shared.ANSWER\n",
        Layers=[layer["LayerVersionArn"]],
    )
    # WHEN / THEN
    assert invoke(emulator.client("lambda"), name).payload == 42


def test_invocation_above_reserved_concurrency_is_refused(emulator: Any) -> None:
    # GIVEN a function with a reserved concurrency of 0
    client = emulator.client("lambda")
    name = make_function(emulator, RETURN_PROCESS_ID)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    # WHEN
    with pytest.raises(ClientError) as caught:
        invoke(client, name)
    # THEN
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


@pytest.mark.parametrize(
    ("payload", "code", "status"),
    [
        pytest.param(b"{", "InvalidRequestContentException", 400, id="not-json"),
        pytest.param(b'"' + b"x" * 6_291_456 + b'"', "RequestEntityTooLargeException", 413, id="too-large"),
    ],
)
def test_invalid_or_too_large_event_is_refused(emulator: Any, payload: bytes, code: str, status: int) -> None:
    # GIVEN
    name = make_function(emulator, RETURN_PROCESS_ID)
    # WHEN
    with pytest.raises(ClientError) as caught:
        emulator.client("lambda").invoke(FunctionName=name, Payload=payload)
    # THEN
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(b"not a zip", id="not-a-zip"),
        pytest.param(make_zip({"../module.py": RETURN_PROCESS_ID}), id="outside"),
        pytest.param(make_zip({"/module.py": RETURN_PROCESS_ID}), id="absolute"),
    ],
)
def test_invalid_code_archive_is_refused(emulator: Any, code: bytes) -> None:
    # GIVEN
    name = make_function(emulator, RETURN_PROCESS_ID, Code={"ZipFile": code})
    # WHEN / THEN
    with pytest.raises(ClientError, match="InvalidZipFileException"):
        invoke(emulator.client("lambda"), name)


def test_error_for_an_unsupported_runtime_names_the_runtime(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, "", Runtime="nodejs20.x")
    # WHEN / THEN
    with pytest.raises(ClientError, match=r"not nodejs20\.x"):
        invoke(emulator.client("lambda"), name)


def _is_running(process: int) -> bool:
    return start_time(process) is not None
