"""A versioned S3 bucket in memory with conditional writes, and functions that add images to review."""

# ruff: noqa: N803  boto3's argument names

import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError
from PIL import Image

from common.inference_ids import inference_id
from evaluation.review.entries import ReviewStore

PAGE = 1000  # number of keys in one page of a listing
MAX_KEY_BYTES = 1024


def error(code: str) -> ClientError:
    """Return an S3 error with an error code."""
    return ClientError({"Error": {"Code": code, "Message": "some message"}}, "SomeOperation")


class FakeS3:
    """The methods of an S3 client that the review uses.

    Attributes
    ----------
    versions : versions of each key, the newest last
    requests : number of requests by operation
    conflicts : number of further conditional writes that fail with `ConditionalRequestConflict`
    """

    def __init__(self) -> None:
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self.requests: Counter[str] = Counter()
        self.conflicts = 0
        self._lock = threading.Lock()
        self._time = datetime(2026, 3, 1, tzinfo=UTC)

    @property
    def objects(self) -> dict[str, bytes]:
        """The content of each key's newest version."""
        return {key: versions[-1]["Body"] for key, versions in sorted(self.versions.items())}

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str = "",
        IfNoneMatch: str | None = None,
        IfMatch: str | None = None,
    ) -> dict[str, Any]:
        with self._lock:
            self.requests["put_object"] += 1
            existing = self.versions.get(Key)
            if (IfNoneMatch or IfMatch) and self.conflicts:
                self.conflicts -= 1
                raise error("ConditionalRequestConflict")
            if (IfNoneMatch and existing) or (IfMatch and existing and existing[-1]["ETag"] != IfMatch):
                raise error("PreconditionFailed")
            if IfMatch and not existing:
                raise error("NoSuchKey")
            self._time += timedelta(seconds=1)
            version = f"version-{self.requests['put_object']}"
            stored = {"Body": Body, "VersionId": version, "ETag": sha256(Body).hexdigest(), "LastModified": self._time}
            self.versions.setdefault(Key, []).append(stored)
            return {"VersionId": version}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        with self._lock:
            self.requests["get_object"] += 1
            if len(Key.encode()) > MAX_KEY_BYTES:
                raise error("KeyTooLongError")
            if Key not in self.versions:
                raise error("NoSuchKey")
            stored = self.versions[Key][-1]
            return {**stored, "Body": io.BytesIO(stored["Body"])}

    def delete_object(self, *, Bucket: str, Key: str, VersionId: str) -> None:
        with self._lock:
            kept = [each for each in self.versions.pop(Key, []) if each["VersionId"] != VersionId]
            if kept:
                self.versions[Key] = kept

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        with self._lock:
            keys = sorted(key for key in self.versions if key.startswith(Prefix))
        for start in range(0, len(keys), PAGE):
            self.requests["list_objects_v2"] += 1
            yield {"Contents": [{"Key": key, **self._listed(key)} for key in keys[start : start + PAGE]]}

    def _listed(self, key: str) -> dict[str, Any]:
        return {"LastModified": self.versions[key][-1]["LastModified"]}


def make_store(s3: Any) -> ReviewStore:
    """Return the review entries and labels of the classes bicycle and motorcycle in a bucket."""
    return ReviewStore("bucket", "review", "labels", s3=s3, classes=("bicycle", "motorcycle"))


def png(colour: str = "red", size: tuple[int, int] = (8, 6)) -> bytes:
    """Return a PNG file of one colour; `size` is width and height in pixels."""
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, format="PNG")
    return stream.getvalue()


def add_selected(s3: Any, record_id: str, *, image: bytes | None = None, **fields: Any) -> str:
    """Add an image that was selected for review, and return the key of its entry.

    Parameters
    ----------
    record_id : ID of the captured record
    image : content of the image file; by default a valid image
    fields : fields of the entry that replace the default values
    """
    entry = {
        "id": record_id,
        "reasons": ["low_confidence"],
        "inclusion_probability": 1.0,
        "model": "v3",
        "time": "2026-03-01T12:00:00+00:00",
        "probabilities": [0.4, 0.6],
        "detail": "",
        **fields,
    }
    key = f"review/selected/{record_id}"
    s3.put_object(Bucket="bucket", Key=key, Body=png() if image is None else image)
    s3.put_object(Bucket="bucket", Key=f"{key}.json", Body=json.dumps(entry).encode())
    return f"{key}.json"


def add_photograph(s3: Any, name: str, version: str, *, error: str = "THRESHOLD_CONFIDENCE_NOT_MET") -> str:
    """Add a photograph that the state machine copied for review, and return the key of its entry."""
    entry = {
        "key": f"incoming/zoe/{name}",
        "version": version,
        "driver": "zoe",
        "photographed": "2026-03-01T12:00:00Z",
        "error": error,
        "reason": f"bicycle has confidence 0.5123 for incoming/zoe/{name}, below the threshold of 0.7",
        "execution": "some-arn",
    }
    key = f"review/{error}/zoe/{version}"
    s3.put_object(Bucket="bucket", Key=key, Body=png())
    s3.put_object(Bucket="bucket", Key=f"{key}.json", Body=json.dumps(entry).encode())
    return f"{key}.json"


def photograph_id(name: str, version: str) -> str:
    """Return the inference ID of a photograph that `add_photograph` adds."""
    return inference_id(f"incoming/zoe/{name}", version)
