"""Labelled images are read from a bucket with versions."""

from evaluation.reviewed_images import LabelledObject, read_images
from staging.reviewed import ReviewedImage
from tests.support.emulator import Emulator
from tests.support.project import unique


def test_the_labelled_version_of_an_image_is_read(emulator: Emulator) -> None:
    # GIVEN two versions of an image, and one that was deleted
    s3, bucket = emulator.client("s3"), unique("reviewed")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="incoming/a", Body=body)["VersionId"] for body in (b"1", b"2", b"3")]
    s3.delete_object(Bucket=bucket, Key="incoming/a", VersionId=versions[1])
    labelled = [
        LabelledObject("bicycle", "incoming/a", versions[0]),
        LabelledObject("bicycle", "incoming/a", versions[1]),
        LabelledObject("bicycle", "incoming/a"),
        LabelledObject("bicycle", "incoming/missing"),
    ]

    # WHEN
    images = list(read_images(bucket, labelled, s3=s3))

    # THEN
    assert images == [ReviewedImage("bicycle", body) for body in (b"1", None, b"3", None)]
