"""An S3 client with an in-memory bucket, and a local HTTP server that fails on demand."""

# ruff: noqa: N803  (boto3 names its arguments in CamelCase)

import base64
import hashlib
import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody


class InterruptedRunError(Exception):
    """A FakeS3 refused a write, as if the command had been interrupted."""


class FakeS3:
    """An S3 client with an in-memory bucket, which has the methods that staging uses.

    Parameters
    ----------
    opaque_etags : whether ETags are not MD5 digests, as in a bucket that is encrypted with a KMS key

    Attributes
    ----------
    objects : content, ETag and metadata of each object, by key
    writes : operation and key of each write, such as `put train/a.png`
    writes_left : number of writes after which each write raises InterruptedRunError; None if there is no limit
    before_put : functions that the next write of a key calls before it writes, by key
    denies_deletes : whether `delete_objects` deletes nothing, and returns an error for the first object
    """

    def __init__(self, *, opaque_etags: bool = False) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.writes_left: int | None = None
        self.before_put: dict[str, Callable[[], None]] = {}
        self.denies_deletes = False
        self._opaque = opaque_etags
        self._lock = threading.Lock()

    def list_keys(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str = "",
        ContentMD5: str | None = None,
        Metadata: dict[str, str] | None = None,
        IfNoneMatch: str | None = None,
    ) -> dict[str, Any]:
        self.before_put.pop(Key, lambda: None)()
        digest = hashlib.md5(Body, usedforsecurity=False)
        assert ContentMD5 in (None, base64.b64encode(digest.digest()).decode())
        with self._lock:
            if IfNoneMatch == "*" and Key in self.objects:
                raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "exists"}}, "PutObject")
            self._write(f"put {Key}")
            etag = f"kms-{len(self.writes)}" if self._opaque else digest.hexdigest()
            self.objects[Key] = {"body": Body, "ETag": f'"{etag}"', "Metadata": Metadata or {}}
            return {"ETag": f'"{etag}"'}

    def get_object(self, *, Bucket: str, Key: str, Range: str = "bytes=0-") -> dict[str, Any]:
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "none"}}, "GetObject")
        first, _, last = Range.removeprefix("bytes=").partition("-")
        body = self.objects[Key]["body"][int(first) : int(last) + 1 if last else None]
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentLength": len(body)}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return self.objects[Key]

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        self._write(f"delete {Key}")
        self.objects.pop(Key, None)

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        if self.denies_deletes:
            return {"Errors": [{**Delete["Objects"][0], "Message": "Access Denied"}]}
        for item in Delete["Objects"]:
            self.delete_object(Bucket=Bucket, Key=item["Key"])
        return {}

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(
        self, *, Bucket: str, Prefix: str, StartAfter: str = "", Delimiter: str | None = None
    ) -> Iterator[dict[str, Any]]:
        for key in self.list_keys(Prefix):  # each page has one object or one folder
            folder, delimiter, _ = key.removeprefix(Prefix).partition(Delimiter) if Delimiter else ("", "", "")
            if delimiter:
                yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{folder}{delimiter}"}]}
                continue
            if key <= StartAfter:
                continue
            stored = self.objects[key]
            yield {"Contents": [{"Key": key, "Size": len(stored["body"]), "ETag": stored["ETag"]}]}
        yield {}

    def _write(self, operation: str) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                raise InterruptedRunError(operation)
        self.writes.append(operation)


@dataclass
class Site:
    """A file on a web server.

    Attributes
    ----------
    content : content of the file
    etag : value of the header ETag; None if responses do not have this header
    ranges : whether the server supports the request header Range
    failures : for each of the next GET requests, a status such as "503", or "cut" for half of the requested bytes
    requests : method and Range header of each request
    url : URL of the file
    """

    content: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    failures: list[str] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    """Serve the file on a free local port during the `with` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._respond(send_body=False)

        def do_GET(self) -> None:
            self._respond(send_body=True)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

        def _respond(self, *, send_body: bool) -> None:
            requested_range = self.headers.get("Range")
            site.requests.append((self.command, requested_range))
            failure = site.failures.pop(0) if site.failures and send_body else ""
            if failure.isdigit():
                self.send_error(int(failure))
                return
            body, status, span = self._part(requested_range)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if site.etag:
                self.send_header("ETag", site.etag)
            if span:
                self.send_header("Content-Range", span)
            self.end_headers()
            if send_body:
                self.wfile.write(body[: len(body) // 2] if failure == "cut" else body)

        def _part(self, requested_range: str | None) -> tuple[bytes, int, str]:
            match = re.fullmatch(r"bytes=(\d+)-", requested_range or "")
            if not match or not site.ranges or self.headers.get("If-Range") != site.etag:
                return site.content, 200, ""
            start, size = int(match[1]), len(site.content)
            if start >= size:
                return b"", 416, f"bytes */{size}"
            return site.content[start:], 206, f"bytes {start}-{size - 1}/{size}"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/cifar.tar.gz"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
