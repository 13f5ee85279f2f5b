"""S3 event notifications to SQS, SNS, Lambda and EventBridge.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ..waiting import eventually
from .functions import make_function, unique
from .queues import Inbox, make_rule

KEY = "incoming/Jörg +1/50% #2.jpg"


class Bucket:
    """An S3 bucket, and a queue for the events that the bucket's notification configuration selects.

    configuration : the bucket's notification configuration
    """

    def __init__(self, emulator: RunningEmulator, **configuration: Any) -> None:
        self.s3, self.name, self.inbox = emulator.client("s3"), unique("bucket"), Inbox(emulator)
        self.s3.create_bucket(Bucket=self.name)
        if configuration:
            self.configure(**configuration)

    def configure(self, **configuration: Any) -> None:
        """Replace the bucket's notification configuration."""
        self.s3.put_bucket_notification_configuration(Bucket=self.name, NotificationConfiguration=configuration)

    def enable_versioning(self) -> None:
        """Enable versioning of the bucket."""
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def put(self, key: str = KEY, body: bytes = b"image", **options: Any) -> Any:
        """Store an object, and return the response of PutObject."""
        return self.s3.put_object(Bucket=self.name, Key=key, Body=body, **options)


@pytest.fixture
def bucket(emulator: RunningEmulator) -> Bucket:
    """Return a bucket that sends its events to EventBridge, where a rule delivers them to the bucket's queue."""
    bucket = Bucket(emulator, EventBridgeConfiguration={})
    deliver_events(emulator, bucket)
    return bucket


@pytest.fixture
def notifying_bucket(emulator: RunningEmulator) -> Bucket:
    """Return a bucket that sends notifications about objects below `incoming/` to the bucket's queue."""
    bucket = Bucket(emulator)
    configuration = {
        "Id": "photographs",
        "QueueArn": bucket.inbox.arn,
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}},
    }
    bucket.configure(QueueConfigurations=[configuration])
    bucket.inbox.take(1)  # s3:TestEvent
    return bucket


def deliver_events(emulator: RunningEmulator, bucket: Bucket) -> None:
    """Create an EventBridge rule that delivers the bucket's events to the bucket's queue."""
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket.name]}}}
    make_rule(emulator, pattern, {"Arn": bucket.inbox.arn})


def test_eventbridge_event_describes_the_created_object(bucket: Bucket) -> None:
    # GIVEN
    bucket.enable_versioning()
    # WHEN
    stored = bucket.put()
    # THEN the key is not URL-encoded, the ETag has no quotes, and version and request ID are those of the response
    (event,) = bucket.inbox.take(1)
    detail = event.pop("detail")
    sequencer = detail["object"].pop("sequencer")
    assert int(sequencer, 16)
    assert len(event.pop("id")) == 36
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{bucket.name}"],
    }
    assert detail == {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": {
            "key": KEY,
            "size": 5,
            "etag": stored["ETag"].strip('"'),
            "version-id": stored["VersionId"],
        },
        "request-id": stored["ResponseMetadata"]["RequestId"],
        "requester": "123456789012",
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }


def test_each_write_operation_sends_one_event(bucket: Bucket) -> None:
    # WHEN objects are put with tags, copied, tagged, untagged and uploaded in parts
    s3, name = bucket.s3, bucket.name
    bucket.put("first", Tagging="a=b")
    s3.copy_object(Bucket=name, Key="second", CopySource={"Bucket": name, "Key": "first"})
    s3.put_object_tagging(Bucket=name, Key="first", Tagging={"TagSet": [{"Key": "a", "Value": "c"}]})
    s3.delete_object_tagging(Bucket=name, Key="first")
    upload = s3.create_multipart_upload(Bucket=name, Key="third")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="third", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=name, Key="third", UploadId=upload, MultipartUpload=parts)
    # THEN
    found = bucket.inbox.take(5)
    assert {(each["detail-type"], each["detail"]["object"]["key"], each["detail"].get("reason")) for each in found} == {
        ("Object Created", "first", "PutObject"),
        ("Object Created", "second", "CopyObject"),
        ("Object Tags Added", "first", None),
        ("Object Tags Deleted", "first", None),
        ("Object Created", "third", "CompleteMultipartUpload"),
    }
    assert len({each["id"] for each in found}) == 5


def test_event_distinguishes_delete_markers_and_permanent_deletions(bucket: Bucket) -> None:
    # GIVEN an object in a versioned bucket
    bucket.enable_versioning()
    version = bucket.put("versioned")["VersionId"]
    bucket.inbox.take(1)
    # WHEN the object is deleted, which creates a delete marker, and then its version and a missing key are deleted
    marker = bucket.s3.delete_object(Bucket=bucket.name, Key="versioned")["VersionId"]
    (marked,) = bucket.inbox.take(1)
    bucket.s3.delete_objects(
        Bucket=bucket.name, Delete={"Objects": [{"Key": "versioned", "VersionId": version}, {"Key": "absent"}]}
    )
    (deleted,) = bucket.inbox.take(1)
    # THEN each event has the type of its deletion
    assert {marked["detail-type"], deleted["detail-type"]} == {"Object Deleted"}
    assert {marked["detail"]["reason"], deleted["detail"]["reason"]} == {"DeleteObject"}
    assert marked["detail"]["deletion-type"] == "Delete Marker Created"
    assert marked["detail"]["object"]["version-id"] == marker
    assert deleted["detail"]["deletion-type"] == "Permanently Deleted"
    assert deleted["detail"]["object"]["version-id"] == version
    assert "size" not in deleted["detail"]["object"]


def test_latest_version_has_the_greatest_sequencer(bucket: Bucket) -> None:
    # GIVEN
    bucket.enable_versioning()
    # WHEN several clients write one key at the same time
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda number: bucket.put("key", str(number).encode()), range(24)))
    # THEN each version has an event, and the latest version has the greatest sequencer
    objects = [event["detail"]["object"] for event in bucket.inbox.take(24)]
    in_order = [each["version-id"] for each in sorted(objects, key=lambda each: int(each["sequencer"], 16))]
    versions = bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"]
    assert sorted(in_order) == sorted(each["VersionId"] for each in versions)
    assert in_order[-1] == next(each["VersionId"] for each in versions if each["IsLatest"])


def test_eventbridge_receives_only_events_after_the_bucket_enables_it(emulator: RunningEmulator) -> None:
    # GIVEN a bucket that enables EventBridge after its first object
    bucket = Bucket(emulator)
    deliver_events(emulator, bucket)
    bucket.put("before")
    bucket.configure(EventBridgeConfiguration={})
    # WHEN
    bucket.put("after")
    # THEN
    (event,) = bucket.inbox.take(1)
    assert event["detail"]["object"]["key"] == "after"


def test_notification_has_a_url_encoded_key_and_is_sent_only_for_the_prefix(notifying_bucket: Bucket) -> None:
    # WHEN an object is put below the prefix, and another one elsewhere
    stored = notifying_bucket.put()
    notifying_bucket.put("elsewhere/key")
    # THEN only the first one has a notification
    (message,) = notifying_bucket.inbox.take(1)
    (record,) = message["Records"]
    assert record["eventTime"].endswith("Z")
    assert int(record["s3"]["object"]["sequencer"], 16)
    assert record["eventVersion"].startswith("2.")
    assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Put")
    assert (record["awsRegion"], record["requestParameters"]) == ("us-east-1", {"sourceIPAddress": "127.0.0.1"})
    assert record["responseElements"]["x-amz-request-id"] == stored["ResponseMetadata"]["RequestId"]
    assert record["s3"]["configurationId"] == "photographs"
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{notifying_bucket.name}"
    assert record["s3"]["object"]["key"] == "incoming/J%C3%B6rg+%2B1/50%25+%232.jpg"
    assert (record["s3"]["object"]["eTag"], record["s3"]["object"]["size"]) == (stored["ETag"].strip('"'), 5)
    assert "versionId" not in record["s3"]["object"]


def test_notification_of_a_deletion_has_only_key_and_sequencer(notifying_bucket: Bucket) -> None:
    # GIVEN
    notifying_bucket.put()
    notifying_bucket.inbox.take(1)
    # WHEN
    notifying_bucket.s3.delete_object(Bucket=notifying_bucket.name, Key=KEY)
    # THEN
    (message,) = notifying_bucket.inbox.take(1)
    assert message["Records"][0]["eventName"] == "ObjectRemoved:Delete"
    assert message["Records"][0]["s3"]["object"].keys() == {"key", "sequencer"}


def test_topic_and_function_receive_notifications(emulator: RunningEmulator, topic_and_queue: tuple[str, str]) -> None:
    # GIVEN an SNS topic, and a Lambda function that creates a queue whose name is the object's key
    topic, _ = topic_and_queue
    bucket = Bucket(emulator)
    emulator.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bucket.inbox.arn)
    source = (
        "import boto3\n"
        "def main(event, context):\n"
        "    boto3.client('sqs').create_queue(QueueName=event['Records'][0]['s3']['object']['key'])\n"
    )
    name = make_function(emulator, source)
    function = emulator.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    events = ["s3:ObjectCreated:Put"]
    bucket.configure(
        LambdaFunctionConfigurations=[{"LambdaFunctionArn": function, "Events": events}],
        TopicConfigurations=[{"TopicArn": topic, "Events": events}],
    )
    bucket.inbox.take(1)  # s3:TestEvent
    # WHEN
    key = unique("queue")
    bucket.put(key)
    # THEN
    (message,) = bucket.inbox.take(1)
    assert message["Subject"] == "Amazon S3 Notification"
    assert json.loads(message["Message"])["Records"][0]["s3"]["object"]["key"] == key
    assert eventually(lambda: emulator.client("sqs").list_queues(QueueNamePrefix=key).get("QueueUrls"))


def test_upload_succeeds_if_its_event_cannot_be_delivered(emulator: RunningEmulator) -> None:
    # GIVEN a notification to a deleted queue, and a rule whose text pattern cannot be compared with the object's size
    bucket = Bucket(emulator)
    bucket.configure(
        EventBridgeConfiguration={},
        QueueConfigurations=[{"QueueArn": bucket.inbox.arn, "Events": ["s3:ObjectCreated:*"]}],
    )
    bucket.inbox.sqs.delete_queue(QueueUrl=bucket.inbox.url)
    pattern = {"detail": {"bucket": {"name": [bucket.name]}, "object": {"size": [{"equals-ignore-case": "x"}]}}}
    make_rule(emulator, pattern, {"Arn": bucket.inbox.arn})
    # WHEN / THEN
    bucket.put()
    assert bucket.s3.get_object(Bucket=bucket.name, Key=KEY)["Body"].read() == b"image"
    bucket.s3.delete_object(Bucket=bucket.name, Key=KEY)
