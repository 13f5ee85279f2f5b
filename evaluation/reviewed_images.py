"""Read the images of live traffic that people labelled, with their labels."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code
from common.s3 import MISSING, THREADS
from common.terminal import counted
from evaluation.review.answers import list_answers, read_answer
from evaluation.review.entries import SUFFIX, ReviewStore
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


def read_answers(store: ReviewStore) -> list[LabelledObject]:
    """Return the images that were labelled in the review, and print how many answers are malformed."""
    names = [name for name, _ in list_answers(store)]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(partial(read_answer, store), names))
    prefix = f"{store.review_prefix}/"
    # an answer that somebody took back in the meantime is None
    found = [answer for answer in answers if answer]
    malformed = [answer for answer in found if not answer.entry.startswith(prefix)]
    if malformed:
        print(f"{counted(len(malformed), 'answer')} left out: no image to review is named")
    return [
        LabelledObject(answer.label, answer.entry.removesuffix(SUFFIX))
        for answer in found
        if answer.entry.startswith(prefix)
    ]


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
        if error_code(error) not in MISSING:
            raise
        body = None  # its retention has ended
    return ReviewedImage(labelled.label, body)
