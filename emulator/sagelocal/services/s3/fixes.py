"""Fixes of moto's bucket policies, notification configurations, object keys and deletion of delete markers."""

import functools
import json
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker, S3Backend
from moto.s3.responses import S3Response

from sagelocal.core.patching import add, replace

# For each listing operation, the fields that S3 URL-encodes and moto does not, if a request has `encoding-type=url`:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html#API_ListObjectVersions_ResponseElements
# To empty a bucket, Terraform's provider lists the versions with `encoding-type=url`, and decodes each key.
UNENCODED = {
    "list_objects": ("Delimiter", "NextMarker", "Prefix", "CommonPrefixes"),
    "list_objects_v2": ("Delimiter", "StartAfter"),
    "list_object_versions": (
        "Delimiter",
        "KeyMarker",
        "NextKeyMarker",
        "Prefix",
        "Versions",
        "DeleteMarkers",
        "CommonPrefixes",
    ),
}


def install() -> None:
    """Install the fixes into moto."""
    _route_line_breaks()
    _cache_bucket_style()
    replace(FakeBucket, "get_permission", _get_permission, parameters=("action", "resource"))
    # moto calls the method `dispose` of every version that it deletes, but delete markers do not have this method
    add(FakeDeleteMarker, "dispose", lambda marker: None)
    _show_eventbridge()
    for operation, names in UNENCODED.items():
        _encode_keys(operation, names)


def _route_line_breaks() -> None:
    """Make moto route requests whose key contains a line break. The `.` in moto's URL patterns does not match it."""

    def url_module(backend: Any) -> Any:
        module = original(backend)
        paths = {
            re.sub(r"(<key_name>/?)\.", r"\1[\\s\\S]", path): handler for path, handler in module.url_paths.items()
        }
        return SimpleNamespace(url_bases=module.url_bases, url_paths=paths)

    original = replace(S3Backend, "_url_module", url_module)


def _get_permission(bucket: Any, action: str, resource: str) -> PermissionResult:
    """Evaluate a bucket policy, but ignore the statements that have a condition.

    moto treats every condition as met, so a statement that denies requests without TLS would deny every request.
    """
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    document["Statement"] = [statement for statement in statements if not statement.get("Condition")]
    return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)


def _show_eventbridge() -> None:
    """Make GetBucketNotificationConfiguration return the field EventBridgeConfiguration, which moto omits."""

    def get_bucket_notification(request: Any) -> Any:
        configuration = request.backend.get_bucket_notification_configuration(request.bucket_name)
        if configuration is not None and configuration.event_bridge is not None:
            _change_result(request, lambda result: {**result, "EventBridgeConfiguration": {}})
        return original(request)

    original = replace(S3Response, "get_bucket_notification", get_bucket_notification)


def _encode_keys(operation: str, names: tuple[str, ...]) -> None:
    """URL-encode the named fields of a listing operation's response if the request has `encoding-type=url`."""

    def listing(request: Any) -> Any:
        if request.querystring.get("encoding-type") == ["url"]:
            _change_result(request, lambda result: {**result, "EncodingType": "url", **_encoded(result, names)})
        return original(request)

    original = replace(S3Response, operation, listing)


def _encoded(result: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the named fields of a listing that are not empty, URL-encoded.

    A field is a string, a list of versions or delete markers (whose `Key` is encoded) or a list of prefixes.
    """
    return {name: _encode(result[name]) for name in names if result.get(name)}


def _encode(value: Any) -> Any:
    if isinstance(value, str):
        return quote(value)
    return [{**each, **{name: quote(each[name]) for name in ("Key", "Prefix") if name in each}} for each in value]


def _change_result(request: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Make moto apply `change` to this request's result before it serializes the result.

    Errors are not changed.
    """
    serialized = request.serialized

    def serialize(response: ActionResult) -> Any:
        return serialized(ActionResult(change(response.result)) if isinstance(response.result, dict) else response)

    request.serialized = serialize


def _cache_bucket_style() -> None:
    """Cache for each host whether its first label is a bucket; moto evaluates this up to 5 times per request."""

    @functools.lru_cache
    def is_subdomain(host: str) -> bool:
        found: bool = original(SimpleNamespace(headers={"host": host}))
        return found

    def subdomain_based_buckets(request: Any) -> bool:
        host = request.headers.get("host")
        return is_subdomain(host) if host else bool(original(request))

    original = replace(S3Response, "subdomain_based_buckets", subdomain_based_buckets, parameters=("request",))
