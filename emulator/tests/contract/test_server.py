"""The emulator's server process: port, options, shutdown, error responses, S3 keys and regions."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from sagelocal.core.environment import sdk_variables
from sagelocal.core.process import start_time
from sagelocal.pytest_plugin import RunningEmulator

from .functions import invoke, make_function, unique

SERVE = [sys.executable, "-m", "sagelocal", "serve"]


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `sagelocal serve` with these arguments until it exits."""
    return subprocess.run([*SERVE, *arguments], capture_output=True, text=True, timeout=60)


def test_port_in_use_is_reported_in_one_line(emulator: Any) -> None:
    # GIVEN
    port = emulator.url.rsplit(":", 1)[1]
    # WHEN
    ended = serve("--port", port)
    # THEN
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"error: port {port} of 127.0.0.1 is in use: choose another port with --port, or omit --port to use a free one"
    ]


@pytest.mark.parametrize("content", ["{", '{"(": {"train": ["true"]}}', '{"a": {"fly": ["true"]}}'])
def test_invalid_images_file_is_reported_in_one_line(tmp_path: Path, content: str) -> None:
    # GIVEN
    file = tmp_path / "images.json"
    file.write_text(content)
    # WHEN
    ended = serve("--images", str(file))
    # THEN
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert str(file) in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_ends_function_processes_and_deletes_temporary_files(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an emulator with its own temporary directory, and environment variables that point to another emulator
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    for variable, value in sdk_variables("http://127.0.0.1:9").items():
        monkeypatch.setenv(variable, value)
    running = RunningEmulator(tmp_path)
    name = make_function(running, "import os\ndef main(event, context):\n    return os.getpid()\n")
    process = invoke(running.client("lambda"), name).payload
    assert list(scratch.iterdir())
    # WHEN
    running.process.send_signal(number)
    # THEN
    assert running.process.wait(timeout=20) == 0
    assert start_time(process) is None
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        pytest.param("sagemaker", "CreateHub", {"HubName": "a", "HubDescription": "a"}, id="json"),
        pytest.param("lambda", "ListProvisionedConcurrencyConfigs", {"FunctionName": "a"}, id="rest-json"),
        pytest.param("iam", "GenerateServiceLastAccessedDetails", {"Arn": "arn:aws:iam::1:role/r"}, id="query"),
        pytest.param("ec2", "CreateFpgaImage", {"InputStorageLocation": {}}, id="ec2"),
        pytest.param("cloudfront", "ListStreamingDistributions", {}, id="rest-xml"),
        pytest.param("braket", "SearchDevices", {"filters": []}, id="unknown-service"),
    ],
)
def test_error_and_log_name_an_unsupported_operation(
    emulator: Any, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    # GIVEN
    message = f"sagelocal does not support {service}:{operation}"
    # WHEN
    with pytest.raises(ClientError) as caught:
        getattr(emulator.client(service), xform_name(operation))(**arguments)
    # THEN
    response = caught.value.response
    assert (response["Error"]["Code"], response["Error"]["Message"]) == ("NotImplemented", message)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert f"{message}\n" in emulator.log.read_text()


def test_sdk_does_not_retry_an_unsupported_operation(emulator: Any) -> None:
    # GIVEN a client that retries failed requests up to five times
    client = boto3.client(
        "sagemaker",
        region_name="us-east-1",
        endpoint_url=emulator.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "max_attempts": 5}),
    )
    # WHEN
    with pytest.raises(ClientError) as caught:
        client.create_hub(HubName="a", HubDescription="a")
    # THEN
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_error_names_an_unknown_path(emulator: Any) -> None:
    # WHEN
    signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, Signature=x"
    response = requests.get(f"{emulator.url}/2015-03-31/nothing", headers={"Authorization": signed}, timeout=10)
    # THEN
    assert response.status_code == 501
    assert "sagelocal does not support lambda:GET /2015-03-31/nothing" in response.json().values()


def test_connection_is_reused_for_many_requests(emulator: Any) -> None:
    # GIVEN
    with requests.Session() as session:
        session.get(f"{emulator.url}/_emulator", timeout=10)
        # WHEN
        start = time.monotonic()
        responses = [session.get(f"{emulator.url}/_emulator", timeout=10) for _ in range(20)]
        seconds = time.monotonic() - start
    # THEN
    assert {response.headers.get("Connection", "").lower() for response in responses} <= {"", "keep-alive"}
    assert seconds < 2


def test_s3_preserves_keys_and_metadata(emulator: Any) -> None:
    # GIVEN
    s3, bucket, key = emulator.client("s3"), unique("keys"), "a b/ü+%2F//c.txt"
    s3.create_bucket(Bucket=bucket)
    # WHEN
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata={"with_underscore": "1", "with-dash": "2"})
    # THEN
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read() == b"x"
    assert found["Metadata"] == {"with_underscore": "1", "with-dash": "2"}
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


@pytest.mark.parametrize("key", ["a\nb", "\n/a\n", "a\n\x7f\tb/"])
def test_s3_accepts_keys_with_control_characters(emulator: Any, key: str) -> None:
    # GIVEN
    s3, bucket, copy = emulator.client("s3"), unique("keys"), f"{key}copy"
    s3.create_bucket(Bucket=bucket)
    # WHEN
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": key})
    # THEN
    assert s3.get_object(Bucket=bucket, Key=copy)["Body"].read() == b"x"
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == 1
    for operation in (s3.list_objects, s3.list_objects_v2):
        assert [item["Key"] for item in operation(Bucket=bucket, Prefix=key)["Contents"]] == [key, copy]
    # WHEN
    s3.delete_object(Bucket=bucket, Key=copy)
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})["Deleted"]
    # THEN
    assert [item["Key"] for item in deleted] == [key]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_nested_requests_do_not_exhaust_the_server_threads(emulator: Any) -> None:
    # GIVEN a function that invokes itself and waits for the response
    source = (
        "import boto3, json\n"
        "def main(depth, context):\n"
        "    if not depth: return 0\n"
        "    client, name = boto3.client('lambda'), context.function_name\n"
        "    response = client.invoke(FunctionName=name, Payload=json.dumps(depth - 1))\n"
        "    return 1 + json.loads(response['Payload'].read())\n"
    )
    name = make_function(emulator, source, Timeout=60)
    # WHEN four nested invocations wait at the same time, THEN all of them succeed
    assert invoke(emulator.client("lambda"), name, 4).payload == 4


def test_table_exists_only_in_its_region(emulator: Any) -> None:
    # GIVEN
    name = unique("table")
    options: dict[str, Any] = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    # WHEN
    emulator.client("dynamodb", "eu-west-1").create_table(TableName=name, **options)
    # THEN
    assert name in emulator.client("dynamodb", "eu-west-1").list_tables()["TableNames"]
    assert name not in emulator.client("dynamodb", "eu-central-1").list_tables()["TableNames"]
