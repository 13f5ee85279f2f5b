"""The images that belong to people's labels are found in a versioned bucket."""

import json

import pytest

from common.inference_ids import inference_id
from evaluation.live.labels import read_labels
from evaluation.review.entries import ReviewStore
from evaluation.reviewed_images import BATCH, ImageFinder, left_out, read_images
from staging.reviewed import ReviewedImage
from tests.support.emulator import Emulator
from tests.support.project import unique

CLASSES = ("bicycle", "motorcycle")
KEY = "incoming/ann/vélo 1+2.png"


@pytest.fixture
def store(emulator: Emulator) -> ReviewStore:
    """The review entries and labels in a new versioned bucket."""
    s3, bucket = emulator.client("s3"), unique("reviewed")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return ReviewStore(bucket, "review", "labels", s3=s3)


def put(store: ReviewStore, key: str, body: bytes) -> str:
    """Store an object, and return its version ID."""
    return str(store.s3.put_object(Bucket=store.bucket, Key=key, Body=body)["VersionId"])


def answer(store: ReviewStore, record_id: str, label: str, entry: str = "review/selected/entry.json") -> None:
    """Store the answer of a reviewer."""
    content = {"id": record_id, "label": label, "entry": entry, "reviewer": "ann"}
    put(store, f"labels/answers/{record_id}.json", json.dumps(content).encode())


def labelled(store: ReviewStore) -> list[ReviewedImage]:
    """Return the labelled images in a reproducible order."""
    labels = read_labels(store.bucket, store.labels_prefix, CLASSES, s3=store.s3)
    found = read_images(labels.labels, ImageFinder(store, ("incoming", "uploads"), s3=store.s3))
    return sorted(found, key=lambda image: (image.body or b"", image.label))


def test_image_of_an_answer_is_the_copy_for_review_or_else_the_original(store: ReviewStore) -> None:
    # GIVEN answers for a selected image, an image that the state machine copied, an image without a copy, and two
    # images that do not exist
    put(store, "review/selected/an-id", b"selected")
    put(store, "review/selected/an-id.json", b"{}")
    put(store, "review/THRESHOLD_CONFIDENCE_NOT_MET/ann/v1", b"copied")
    put(store, "review/THRESHOLD_CONFIDENCE_NOT_MET/ann/v1.json", b"{}")
    version = put(store, KEY, b"original")
    for record_id, label in (
        ("an-id", "bicycle"),
        (inference_id("incoming/ann/a.png", "v1"), "motorcycle"),
        (inference_id(KEY, version), "neither"),
        ("gone", "bicycle"),
    ):
        answer(store, record_id, label)
    answer(store, "without-entry", "bicycle", entry="")

    # WHEN / THEN
    assert labelled(store) == [
        ReviewedImage("bicycle", None),
        ReviewedImage("bicycle", None),
        ReviewedImage("motorcycle", b"copied"),
        ReviewedImage("neither", b"original"),
        ReviewedImage("bicycle", b"selected"),
    ]


def test_images_of_a_label_file_are_found_by_version_key_and_id(store: ReviewStore) -> None:
    # GIVEN three versions of an image, of which the second was deleted, and another image
    versions = [put(store, KEY, body) for body in (b"1", b"2", b"3")]
    store.s3.delete_object(Bucket=store.bucket, Key=KEY, VersionId=versions[1])
    other = put(store, "uploads/a.png", b"4")
    lines = [f"{KEY},{versions[0]},bicycle", f"{KEY},{versions[1]},bicycle", f"{KEY},,motorcycle"]
    put(store, "labels/one.csv", "\n".join(["key,version,label", *lines]).encode())
    row = {"inference_id": inference_id("uploads/a.png", other), "label": "bicycle"}
    put(store, "labels/two.jsonl", json.dumps(row).encode())

    # WHEN / THEN a label without a version applies to all versions
    assert labelled(store) == [
        ReviewedImage("bicycle", None),
        ReviewedImage("bicycle", b"1"),
        ReviewedImage("motorcycle", b"1"),
        ReviewedImage("motorcycle", b"3"),
        ReviewedImage("bicycle", b"4"),
    ]


def test_labels_that_cannot_be_used_are_reported(store: ReviewStore) -> None:
    # GIVEN a label that is not a class, and a line without a label
    put(store, "labels/one.csv", b"key,label\nincoming/a/b.png,tram\nincoming/a/b.png\n")

    # WHEN
    lines = list(left_out(read_labels(store.bucket, store.labels_prefix, CLASSES, s3=store.s3)))

    # THEN
    assert lines[0].startswith("left out: 1 label (cannot be read); the first is labels/one.csv, line 3: ")
    assert lines[1].startswith("left out: 1 label (of an unknown class); the first is labels/one.csv, line 2")


def test_images_of_several_batches_are_read(store: ReviewStore) -> None:
    # GIVEN more images than are in memory at the same time
    for number in range(BATCH + 6):
        put(store, f"review/selected/{number:02}", b"%02d" % number)
        put(store, f"review/selected/{number:02}.json", b"{}")
        answer(store, f"{number:02}", "bicycle")

    # WHEN / THEN
    assert [image.body for image in labelled(store)] == [b"%02d" % number for number in range(BATCH + 6)]
