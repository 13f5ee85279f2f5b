"""S3 events: notifications to Lambda functions, SQS queues and SNS topics, and EventBridge events.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-mapping-troubleshooting.html
"""

import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote_plus

from moto.s3 import notifications
from moto.s3.models import FakeDeleteMarker, S3Backend
from moto.s3.notifications import S3NotificationEvent
from moto.s3.responses import S3Response

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services import events
from sagelocal.services.events.targets import SERVICES

ADDRESS = "127.0.0.1"  # source IP address of all requests, because the emulator listens only on this address
# Record versions: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
VERSION, TAGGING_VERSION = "2.1", "2.3"
EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"  # ETag of a delete marker
REASONS = {
    S3NotificationEvent.OBJECT_CREATED_PUT_EVENT: "PutObject",
    S3NotificationEvent.OBJECT_CREATED_POST_EVENT: "POST Object",
    S3NotificationEvent.OBJECT_CREATED_COPY_EVENT: "CopyObject",
    S3NotificationEvent.OBJECT_CREATED_COMPLETE_MULTIPART_UPLOAD_EVENT: "CompleteMultipartUpload",
    S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT: "DeleteObject",
    S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT: "DeleteObject",
}
DELETIONS = {
    S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT: "Permanently Deleted",
    S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT: "Delete Marker Created",
}
# The methods of moto's S3 backend that change the versions of a key, with their parameters
CHANGES = {
    "put_object": (
        *("bucket_name", "key_name", "value", "storage", "etag", "multipart", "encryption", "kms_key_id"),
        *("bucket_key_enabled", "lock_mode", "lock_legal_status", "lock_until", "checksum_value", "request_method"),
        "disable_notification",
    ),
    "copy_object": (
        *("src_key", "dest_bucket_name", "dest_key_name", "storage", "encryption", "kms_key_id", "bucket_key_enabled"),
        *("mdirective", "metadata", "website_redirect_location", "lock_mode", "lock_legal_status", "lock_until"),
        "provided_version_id",
    ),
    "complete_multipart_upload": ("bucket_name", "multipart_id", "body"),
    "delete_object": ("bucket_name", "key_name", "version_id", "bypass"),
}
_request: ContextVar["_Request"] = ContextVar("request")
_numbers = itertools.count(time.time_ns())
_lock = threading.RLock()


@dataclass
class _Request:
    """The S3 request that a thread handles, and the events to send after the response has been created.

    Attributes
    ----------
    operation
        Function that returns the name of the S3 operation, such as `PutObjectTagging`.
    id
        Request ID, which the response and the events contain.
    events
        Functions, each of which sends an event.
    """

    operation: Callable[[], str]
    id: str = field(default_factory=lambda: secrets.token_hex(8).upper())
    events: list[Callable[[], object]] = field(default_factory=list)

    def send(self) -> None:
        for event in self.events:
            event()


def install(emulator: Emulator) -> None:
    """Replace moto's S3 event notifications."""

    def send(account_id: str, event_name: S3NotificationEvent, bucket: Any, key: Any) -> None:
        if bucket.notification_configuration is not None and not _is_spurious(event_name, key):
            _send(emulator, bucket, event_name, key.name, _description(key))

    def delete_object(
        backend: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
    ) -> tuple[bool, dict[str, Any]]:
        deleted, result = original(backend, bucket_name, key_name, version_id, bypass)
        bucket = backend.get_bucket(bucket_name)
        if deleted and bucket.notification_configuration is not None:
            marker = bucket.is_versioned and version_id is None
            event = (
                S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
                if marker
                else S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT
            )
            described = {"etag": EMPTY_ETAG} if marker else {}
            version = result.get("version-id")
            _send(emulator, bucket, event, key_name, {**described, **({"version-id": version} if version else {})})
        return deleted, result

    replace(notifications, "send_event", send, parameters=("account_id", "event_name", "bucket", "key"))
    original = replace(S3Backend, "delete_object", delete_object, parameters=CHANGES["delete_object"])
    for name, parameters in CHANGES.items():
        _serialize(name, parameters)
    _lock_conditional_writes("put_object", ())
    _lock_conditional_writes("_key_response_post", ("request", "body", "bucket_name", "query", "key_name"))
    for name in ("key_response", "bucket_response"):
        _send_after_response(name)


def sequencer() -> str:
    """Return a hexadecimal number that is greater than the sequencers of all earlier events."""
    return f"{next(_numbers):018X}"


def _serialize(name: str, parameters: tuple[str, ...]) -> None:
    """Allow only one thread at a time to call methods of moto's backend that change versions.

    Otherwise moto could lose a version, and the order of sequencers could differ from the order of versions.

    Parameters
    ----------
    name
        Name of the method.
    parameters
        Names of the method's parameters, for the check by `replace`.
    """

    def change(backend: Any, *arguments: Any, **named: Any) -> Any:
        with _lock:
            return original(backend, *arguments, **named)

    original = replace(S3Backend, name, change, parameters=parameters)


def _lock_conditional_writes(name: str, parameters: tuple[str, ...]) -> None:
    """Prevent other writes between the check of a request's condition (`If-Match`, `If-None-Match`) and its write."""

    def respond(response: Any, *arguments: Any, **named: Any) -> Any:
        is_conditional = any(header in response.headers for header in ("If-Match", "If-None-Match"))
        with _lock if is_conditional else nullcontext():
            return original(response, *arguments, **named)

    original = replace(S3Response, name, respond, parameters=parameters)


def _send_after_response(name: str) -> None:
    """Send events after the response has been created.

    moto sends them too early, before it stores an object's metadata.
    """

    def respond(response: Any, request: Any, full_url: str, headers: Any) -> Any:
        current = _Request(lambda: str(response.data.get("Action")))
        token = _request.set(current)
        try:
            result = original(response, request, full_url, headers)
        finally:
            _request.reset(token)
        if current.events:
            result[1].pop("x-amzn-requestid", None)
            result[1]["x-amz-request-id"] = current.id
        current.send()
        return result

    original = replace(S3Response, name, respond, parameters=("request", "full_url", "headers"))


def _is_spurious(event_name: S3NotificationEvent, key: Any) -> bool:
    """Return whether an event that moto sends must be dropped.

    Unlike AWS, moto sends tagging events for new objects, and PutObject events for multipart uploads. Its events for
    deletions are dropped too: moto sends them for only some deletions, so this module sends them for all deletions.
    """
    if event_name in DELETIONS or isinstance(key, FakeDeleteMarker):
        return True
    if event_name == S3NotificationEvent.OBJECT_TAGGING_PUT_EVENT:
        request = _request.get(None)
        return request is None or request.operation() != "PutObjectTagging"
    return event_name == S3NotificationEvent.OBJECT_CREATED_PUT_EVENT and key.multipart is not None


def _description(key: Any) -> dict[str, Any]:
    """Return the size, ETag and version ID of an object, with the field names of EventBridge events.

    The version ID is absent if the bucket is not versioned.
    """
    described: dict[str, Any] = {"size": key.size, "etag": key.etag.replace('"', "")}
    return described if key.version_id == "null" else {**described, "version-id": key.version_id}


def _send(
    emulator: Emulator, bucket: Any, event_name: S3NotificationEvent, key: str, described: dict[str, Any]
) -> None:
    """Send an event to the targets in the bucket's notification configuration, after the response of the request.

    Parameters
    ----------
    key
        Key of the object, not URL-encoded.
    described
        Size, ETag and version ID of the object, as far as the event contains them.
    """
    if event_name in REASONS:
        described = {**described, "sequencer": sequencer()}
    request, configuration = _request.get(None) or _Request(str), bucket.notification_configuration
    if configuration.event_bridge is not None:
        detail_type = notifications._detail_type(event_name)
        detail = _detail(bucket, event_name, key, described, request.id)
        put = partial(events.put, bucket.account_id, bucket.region_name, "aws.s3", detail_type, bucket.arn, detail)
        request.events.append(put)
    for each in (*configuration.cloud_function, *configuration.queue, *configuration.topic):
        if each.matches(event_name, key):
            record = _record(bucket, event_name, key, described, request.id)
            record["s3"]["configurationId"] = each.id
            call = partial(_notify, emulator, each.arn, json.dumps({"Records": [record]}))
            request.events.append(partial(emulator.deliveries.run, call))
    if _request.get(None) is None:  # the emulator itself stores or deletes an object, so there is no response
        request.send()


def _notify(emulator: Emulator, arn: str, text: str) -> None:
    """Send a notification to the Lambda function, SQS queue or SNS topic with this ARN."""
    service = arn.split(":")[2]
    if service == "sns":
        client = emulator.client("sns", arn.split(":")[3])
        client.publish(TopicArn=arn, Subject="Amazon S3 Notification", Message=text)
    else:
        SERVICES[service](emulator, {"Arn": arn}, text, "")


def _detail(
    bucket: Any, event_name: S3NotificationEvent, key: str, described: dict[str, Any], request_id: str
) -> dict[str, Any]:
    """Return the `detail` of an EventBridge event, in which the object key is not URL-encoded."""
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": {"key": key, **described},
        "request-id": request_id,
        "requester": bucket.account_id,
        "source-ip-address": ADDRESS,
    }
    if event_name in REASONS:
        detail["reason"] = REASONS[event_name]
    if event_name in DELETIONS:
        detail["deletion-type"] = DELETIONS[event_name]
    return detail


def _record(
    bucket: Any, event_name: S3NotificationEvent, key: str, described: dict[str, Any], request_id: str
) -> dict[str, Any]:
    """Return the record in a notification, in which the object key is URL-encoded."""
    names = {"size": "size", "etag": "eTag", "version-id": "versionId", "sequencer": "sequencer"}
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    is_created_or_removed = event_name in REASONS
    return {
        "eventVersion": VERSION if is_created_or_removed else TAGGING_VERSION,
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": f"{moment}Z",
        "eventName": event_name.removeprefix("s3:"),
        "userIdentity": {"principalId": f"AWS:{bucket.account_id}"},
        "requestParameters": {"sourceIPAddress": ADDRESS},
        "responseElements": {"x-amz-request-id": request_id, "x-amz-id-2": secrets.token_urlsafe(48)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.account_id},
                "arn": bucket.arn,
            },
            "object": {"key": quote_plus(key, safe="/"), **{names[name]: value for name, value in described.items()}},
        },
    }
