"""Server access logs: writes the records of many requests into one object. moto writes an object for each request.

AWS delivers logs on a best-effort basis, most records within hours. The emulator may therefore delay records until it
has enough for an object:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html
"""

import datetime
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from moto.s3.models import S3Backend

from sagelocal.core.patching import replace

RECORDS = 1000  # number of records in each object with access logs

_lock = threading.Lock()
_waiting: dict[tuple[str, str, str], list[str]] = defaultdict(list)  # by account, target bucket and target prefix


def install() -> None:
    """Replace moto's delivery of access logs, which writes an object for each request."""
    replace(S3Backend, "log_incoming_request", log_request, parameters=("request", "bucket_name"))


def log_request(self: Any, request: Any, bucket_name: str) -> None:
    """Log a request if its bucket has access logging. Write an object whenever `RECORDS` records are waiting."""
    bucket = self.buckets.get(bucket_name)
    if bucket is None or not bucket.logging:
        return
    now = datetime.datetime.now(tz=datetime.UTC)
    target = self.account_id, bucket.logging["TargetBucket"], bucket.logging.get("TargetPrefix") or ""
    with _lock:
        records = _waiting[target]
        records.append(record(request, bucket_name, self.account_id, now))
        if len(records) < RECORDS:
            return
        del _waiting[target]
    if target[1] in self.buckets:
        key = f"{target[2]}{now:%Y-%m-%d-%H-%M-%S}-{uuid4().hex[:16].upper()}"
        self.put_object(target[1], key, "".join(records).encode())


def record(request: Any, bucket_name: str, owner: str, now: datetime.datetime) -> str:
    """Return a request's line in the access log. Fields that are unknown before the response contain a dash.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
    """
    url = urlsplit(request.url)
    key = url.path.removeprefix(f"/{bucket_name}").strip("/")
    operation = f"REST.{request.method}.{'OBJECT' if key else 'BUCKET'}"
    uri = f"{url.path}?{url.query}" if url.query else url.path
    agent = request.headers.get("User-Agent", "-")
    return (
        f"{owner} {bucket_name} [{now:%d/%b/%Y:%H:%M:%S} +0000] 127.0.0.1 - {uuid4().hex[:16].upper()} {operation} "
        f'{key or "-"} "{request.method} {uri} HTTP/1.1" - - - - - - "-" "{agent}" - - SigV4 - AuthHeader {url.netloc} '
        "- - -\n"
    )
