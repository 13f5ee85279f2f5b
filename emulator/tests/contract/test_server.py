"""The emulator as a process: its port, its errors, its end."""

import os
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
from sagelocal.core.process import start_time

from .conftest import ROOT, start_emulator
from .functions import invoke, make_function, unique


def run_emulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sagelocal", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_a_taken_port_is_one_clear_line(emulator: Any) -> None:
    # GIVEN
    port = emulator.url.rsplit(":", 1)[1]
    # WHEN
    ended = run_emulator("--port", port)
    # THEN
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"error: port {port} of 127.0.0.1 is in use: choose another with --port, or none for a free one"
    ]


@pytest.mark.parametrize("content", ["{", '{"(": {"train": ["true"]}}', '{"a": {"fly": ["true"]}}'])
def test_a_broken_images_file_is_one_clear_line(tmp_path: Path, content: str) -> None:
    # GIVEN
    file = tmp_path / "images.json"
    file.write_text(content)
    # WHEN
    ended = run_emulator("--images", str(file))
    # THEN
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert str(file) in ended.stderr


def test_help_says_how_to_use_it() -> None:
    # WHEN
    ended = run_emulator("--help")
    # THEN
    assert ended.returncode == 0
    assert "--port" in ended.stdout
    assert "AWS_ENDPOINT_URL" in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_its_end_leaves_no_process_and_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    # GIVEN
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(scratch)
    try:
        running = start_emulator(tmp_path)
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
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
def test_a_missing_api_answers_at_once_by_name(
    emulator: Any, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    # GIVEN
    message = f"the emulator has no {service}:{operation}"
    # WHEN
    with pytest.raises(ClientError) as caught:
        getattr(emulator.client(service), xform_name(operation))(**arguments)
    # THEN
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == ("NotImplemented", message)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert f"{message}\n" in emulator.log.read_text()


def test_no_sdk_repeats_a_missing_api(emulator: Any) -> None:
    # GIVEN a client that may retry
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


def test_a_path_of_no_service_is_no_page(emulator: Any) -> None:
    # WHEN
    signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, Signature=x"
    answer = requests.get(f"{emulator.url}/2015-03-31/nothing", headers={"Authorization": signed}, timeout=10)
    # THEN
    assert answer.status_code == 501
    assert "the emulator has no lambda:GET /2015-03-31/nothing" in answer.json().values()


def test_a_connection_is_kept(emulator: Any) -> None:
    # GIVEN
    with requests.Session() as session:
        session.get(f"{emulator.url}/_emulator", timeout=10)
        # WHEN
        begun = time.monotonic()
        answers = [session.get(f"{emulator.url}/_emulator", timeout=10) for _ in range(20)]
        seconds = time.monotonic() - begun
    # THEN
    assert {answer.headers.get("Connection", "").lower() for answer in answers} <= {"", "keep-alive"}
    assert seconds < 2


def test_s3_keeps_keys_and_metadata_as_they_were_sent(emulator: Any) -> None:
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


def test_more_requests_may_wait_for_each_other_than_there_are_threads(emulator: Any) -> None:
    # GIVEN functions that call further ones, each of which holds a request open
    source = (
        "import boto3, json\n"
        "def main(depth, context):\n"
        "    if not depth: return 0\n"
        "    client, name = boto3.client('lambda'), context.function_name\n"
        "    answer = client.invoke(FunctionName=name, Payload=json.dumps(depth - 1))\n"
        "    return 1 + json.loads(answer['Payload'].read())\n"
    )
    name = make_function(emulator, source, Timeout=60)
    # WHEN / THEN
    assert invoke(emulator.client("lambda"), name, 4).payload == 4


def test_two_regions_do_not_see_each_other(emulator: Any) -> None:
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
