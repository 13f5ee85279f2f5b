"""Read the staged images back from the bucket, so that reviewed images of live traffic can be added to them."""

import io
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common.s3 import THREADS
from staging.errors import StagingError
from staging.images import SPLITS, Images, Selection, make_images
from staging.manifest import PRETRAINING, Manifest
from staging.recordio import read_shard


def read_staged(manifest: Manifest, bucket: str, *, s3: Any) -> Selection:
    """Return the images that a manifest describes, without reviewed images of an earlier `make retrain`.

    Raises
    ------
    StagingError
        A list of labels has changed since it was staged, or an image or a shard is damaged.
    """
    splits = {split: _read_split(manifest, split, bucket, s3=s3) for split in SPLITS}
    if manifest.reviewed:
        added = manifest.reviewed.splits
        splits = {
            split: images.select(np.arange(len(images)) < len(images) - (added[split].count if split in added else 0))
            for split, images in splits.items()
        }
    others = _read_shards(manifest, PRETRAINING, bucket, s3=s3) if manifest.has_pretraining_data else None
    return Selection(manifest.classes, manifest.seed, splits, others)


def _read_split(manifest: Manifest, split: str, bucket: str, *, s3: Any) -> Images:
    if manifest.shard_count(split):
        return _read_shards(manifest, split, bucket, s3=s3)
    listing = s3.get_object(Bucket=bucket, Key=f"{split}.lst")["Body"].read()
    labels = manifest.labels(split, listing)
    names = [key.removeprefix(f"{split}/") for key in labels]
    bodies = _read_objects(list(labels), bucket, s3=s3)
    return make_images(names, list(labels.values()), [_decode(body) for body in bodies])


def _read_shards(manifest: Manifest, split: str, bucket: str, *, s3: Any) -> Images:
    keys = sorted(key for key in manifest.checksums(split))
    records = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shard")
        for body in _read_objects(keys, bucket, s3=s3):
            path.write_bytes(body)
            records += list(read_shard(path))
    return make_images([""] * len(records), [each.label for each in records], [_decode(each.image) for each in records])


def _read_objects(keys: Sequence[str], bucket: str, *, s3: Any) -> Iterable[bytes]:
    read = partial(_read_object, bucket, s3=s3)
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(read, keys))


def _read_object(bucket: str, key: str, *, s3: Any) -> bytes:
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def _decode(body: bytes) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(body), formats=("PNG",)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise StagingError(f"a staged image is damaged ({error}): run `make stage`") from error
