"""An in-memory bucket with staged data."""

import io
import json
from collections.abc import Sequence
from typing import Any

from staging.manifest import Manifest, StoredObject
from tests.unit.staging.manifests import make_manifest

KEYS = ("train/a.png", "train/b.png", "train.lst", "validation.lst")
MANIFEST = make_manifest(objects={key: StoredObject(size=1, md5=key) for key in KEYS})


class FakeS3:
    """A bucket with the manifest of the staged data.

    The bucket also has all objects of the manifest except for `missing`, and the objects `unlisted`.
    """

    def __init__(self, manifest: Manifest, *missing: str, unlisted: Sequence[str] = ()) -> None:
        self._manifest = manifest
        self._keys = {*manifest.objects, *unlisted} - {*missing}

    def get_object(self, **request: str) -> dict[str, Any]:
        assert request["Key"] == "manifest.json"
        return {"Body": io.BytesIO(json.dumps(self._manifest.to_json()).encode())}

    def get_paginator(self, name: str) -> "FakeS3":
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self._keys if key.startswith(request["Prefix"])]}]
