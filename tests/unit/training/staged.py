"""A staged bucket, in memory."""

import io
import json
from typing import Any

MANIFEST: dict[str, Any] = {
    "classes": ["bicycle", "motorcycle"],
    "format": "images",
    "splits": {"train": {"count": 2}, "validation": {"count": 2}},
    "objects": {key: {"md5": key, "size": 1} for key in ("train/a.png", "train/b.png", "train.lst", "validation.lst")},
}


class FakeS3:
    """A bucket with a manifest and its objects, except for the missing ones."""

    def __init__(self, manifest: dict[str, Any], *missing: str) -> None:
        self._manifest, self._missing = manifest, missing

    def get_object(self, **request: str) -> dict[str, Any]:
        assert request["Key"] == "manifest.json"
        return {"Body": io.BytesIO(json.dumps(self._manifest).encode())}

    def get_paginator(self, name: str) -> "FakeS3":
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        keys = [
            key for key in self._manifest["objects"] if key.startswith(request["Prefix"]) and key not in self._missing
        ]
        return [{"Contents": [{"Key": key} for key in keys]}]
