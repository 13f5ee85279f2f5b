"""S3 server access logs.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

from types import SimpleNamespace
from typing import Any

from sagelocal.services.s3.access_logs import RECORDS, log_request


class FakeBackend:
    """A substitute for moto's S3 backend. The bucket `images` logs into the bucket `logs`, which is not logged."""

    account_id = "123456789012"

    def __init__(self) -> None:
        logging = {"TargetBucket": "logs", "TargetPrefix": "requests/"}
        self.buckets = {
            "images": SimpleNamespace(logging=logging),
            "logs": SimpleNamespace(logging={}),
        }
        self.objects: list[tuple[str, str, bytes]] = []

    def put_object(self, bucket: str, key: str, value: bytes) -> None:
        """Record the call."""
        self.objects.append((bucket, key, value))


def request(method: str, path: str) -> Any:
    """Return a request, as the server passes it to moto."""
    return SimpleNamespace(method=method, url=f"http://localhost:80{path}", headers={"User-Agent": "some agent"})


def test_one_log_object_contains_the_records_of_many_requests() -> None:
    # GIVEN
    backend = FakeBackend()

    # WHEN as many requests are logged as one log object has records
    log_request(backend, request("PUT", "/images/folder/a?x=1"), "images")
    for _ in range(RECORDS - 2):
        log_request(backend, request("GET", "/images"), "images")
    assert backend.objects == []
    log_request(backend, request("GET", "/images"), "images")

    # THEN the log object, which has a line for each request, is stored with the last request
    ((bucket, key, content),) = backend.objects
    assert bucket == "logs"
    assert key.startswith("requests/20")
    lines = content.decode().splitlines()
    assert len(lines) == RECORDS
    assert ' REST.PUT.OBJECT folder/a "PUT /images/folder/a?x=1 HTTP/1.1" ' in lines[0]
    assert ' REST.GET.BUCKET - "GET /images HTTP/1.1" ' in lines[1]


def test_bucket_without_logging_has_no_records() -> None:
    # GIVEN
    backend = FakeBackend()

    # WHEN
    for _ in range(RECORDS):
        log_request(backend, request("GET", "/logs"), "logs")
        log_request(backend, request("GET", "/missing"), "missing")

    # THEN
    assert backend.objects == []
