"""Read the images of live traffic that people labelled, with their labels."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code
from common.s3 import THREADS, list_objects
from common.terminal import counted
from staging.reviewed import ReviewedImage

BATCH = 64  # images in memory at the same time


@dataclass(frozen=True)
class LabelledObject:
    """An image in the bucket, and the class that a person gave it.

    Attributes
    ----------
    label : name of the class, or `neither`
    version : S3 version ID; None for the latest one
    """

    label: str
    key: str
    version: str | None = None


def read_answers(bucket: str, labels_prefix: str, review_prefix: str, *, s3: Any) -> list[LabelledObject]:
    """Return the images that were labelled in the review, and print how many answers are malformed.

    The image of a review entry is next to it, under the same key without `.json`.
    """
    keys = [each["Key"] for each in list_objects(bucket, f"{labels_prefix}/answers/", s3=s3)]
    with ThreadPoolExecutor(THREADS) as pool:
        bodies = pool.map(lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys)
        answers = [_parse_answer(body, review_prefix) for body in bodies]
    malformed = [key for key, answer in zip(keys, answers, strict=True) if answer is None]
    if malformed:
        print(f"{counted(len(malformed), 'answer')} left out: malformed, the first is s3://{bucket}/{malformed[0]}")
    return [answer for answer in answers if answer]


def _parse_answer(body: bytes, review_prefix: str) -> LabelledObject | None:
    try:
        answer = json.loads(body)
        label, entry = answer["label"], answer["entry"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(label, str) or not isinstance(entry, str) or not entry.startswith(f"{review_prefix}/"):
        return None
    return LabelledObject(label, entry.removesuffix(".json"))


def read_images(bucket: str, labelled: Sequence[LabelledObject], *, s3: Any) -> Iterator[ReviewedImage]:
    """Yield the labelled images, a batch in memory at a time."""
    read = partial(_read_image, bucket, s3=s3)
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(labelled), BATCH):
            yield from pool.map(read, labelled[start : start + BATCH])


def _read_image(bucket: str, labelled: LabelledObject, *, s3: Any) -> ReviewedImage:
    version = {"VersionId": labelled.version} if labelled.version else {}
    try:
        body = s3.get_object(Bucket=bucket, Key=labelled.key, **version)["Body"].read()
    except ClientError as error:
        if error_code(error) not in ("NoSuchKey", "NoSuchVersion"):
            raise
        body = None  # its retention has ended
    return ReviewedImage(labelled.label, body)
