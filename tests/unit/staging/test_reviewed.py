"""Reviewed images of live traffic are added to the staged images.

An image that is already in the validation or test split is never added to the training split.
"""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from staging.archive import read_archive
from staging.errors import StagingError
from staging.images import SPLITS, Selection, digest
from staging.load import load
from staging.manifest import Format, Manifest, read_manifest
from staging.reviewed import ReviewedImage, add_reviewed
from staging.select import select
from staging.source import Source
from staging.stage import stage_reviewed
from staging.staged import read_staged
from staging.transform import write
from tests.unit.staging.archives import BICYCLE, BUS, MOTORCYCLE, examples, write_archive
from tests.unit.staging.fakes import FakeS3
from training.container.classifier.file_names import is_live

CLASSES = ("bicycle", "motorcycle")


def encode_png(pixels: np.ndarray, **options: object) -> bytes:
    """Return an image as a PNG file; `options` are those of Pillow."""
    with io.BytesIO() as stream:
        Image.fromarray(pixels).save(stream, format="PNG", **options)
        return stream.getvalue()


def photograph(seed: int) -> np.ndarray:
    """Return the random pixels of an image, 48 x 64 x 3."""
    return np.random.default_rng(seed).integers(256, size=(48, 64, 3), dtype=np.uint8)


def reviewed(count: int, *, first: int = 0) -> list[ReviewedImage]:
    """Return `count` different images with alternating labels; images with the same number are equal in all calls."""
    return [ReviewedImage(CLASSES[seed % 2], encode_png(photograph(seed))) for seed in range(first, first + count)]


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    """The splits of a small archive, and images of a third class for pretraining."""
    content = examples([BICYCLE, MOTORCYCLE] * 10 + [BUS] * 4)
    tests = examples([BICYCLE, MOTORCYCLE] * 3)
    tests[b"data"] = tests[b"data"] + np.uint8(100)  # pixel values that differ from those of the training images
    archive = read_archive(write_archive(tmp_path / "a.tar.gz", train=content, test=tests))
    return select(archive, classes=CLASSES, other_classes=True)


def stage_selection(selection: Selection, directory: Path, data_format: Format = "images") -> tuple[FakeS3, Manifest]:
    """Stage the images of a selection, and return the bucket and the manifest."""
    s3 = FakeS3()
    dataset = write(selection, directory=directory, data_format=data_format)
    return s3, load(dataset, bucket="b", source=Source(directory, "an archive", "0" * 32, synthetic=True), s3=s3)


def test_each_reviewed_image_is_always_in_the_same_split(selection: Selection) -> None:
    # WHEN 80 reviewed images are added, and in a second call these and 80 others, in reverse order
    first, left_out = add_reviewed(selection, reviewed(80))
    again, _ = add_reviewed(selection, reversed(reviewed(160)))

    # THEN about a quarter of the images is held out for validation, and each image is in the same split both times
    assert not left_out
    assert first.reviewed is not None
    assert first.reviewed.count == 80
    assert 10 <= first.reviewed.splits["validation"].count <= 30
    assert sum(first.reviewed.splits["train"].per_class.values()) == first.reviewed.splits["train"].count
    for split in SPLITS:
        live = {name for name in first.splits[split].names if is_live(name)}
        assert live <= set(again.splits[split].names)
        assert len(live) == len(first.splits[split]) - len(selection.splits[split])
    assert not any(map(is_live, first.splits["test"].names))


def test_reviewed_copies_of_staged_images_are_left_out(selection: Selection) -> None:
    # GIVEN reviewed copies of all staged images, with a different compression and the label of the other class
    copies = [
        ReviewedImage(CLASSES[1 - label], encode_png(pixels, compress_level=0))
        for images in selection.splits.values()
        for pixels, label in zip(images.pixels, images.labels, strict=True)
    ]

    # WHEN
    unchanged, left_out = add_reviewed(selection, copies)
    changed, _ = add_reviewed(selection, [*copies, *reviewed(50)])

    # THEN
    assert unchanged.reviewed is None
    assert left_out == {"among the images of the source": len(copies)}
    held_out = {digest(pixels) for split in ("validation", "test") for pixels in changed.splits[split].pixels}
    assert not held_out & {digest(pixels) for pixels in changed.splits["train"].pixels}


def test_images_that_are_left_out_are_counted_by_reason(selection: Selection) -> None:
    # GIVEN
    image, other = reviewed(2)
    unusable = [
        ReviewedImage("bicycle", b"not an image"),
        ReviewedImage("tram", image.body),
        ReviewedImage("bicycle", None),
        ReviewedImage(image.label, image.body),
        ReviewedImage(image.label, image.body),
        ReviewedImage("bicycle", other.body),
        ReviewedImage("motorcycle", other.body),
    ]

    # WHEN
    result, left_out = add_reviewed(selection, unusable)

    # THEN
    assert left_out == {
        "not readable": 1,
        "no longer in the bucket": 1,
        "labelled tram, which is not among the classes": 1,
        "copies of another reviewed image": 1,
        "labelled with two classes": 2,
    }
    assert result.reviewed is not None
    assert result.reviewed.count == 1


def test_fingerprint_depends_on_images_and_labels_but_not_on_their_order(selection: Selection) -> None:
    def fingerprint(images: list[ReviewedImage]) -> str:
        added = add_reviewed(selection, images)[0].reviewed
        assert added is not None
        return added.fingerprint

    image, other = reviewed(2)
    assert fingerprint([image, other]) == fingerprint([other, image])
    assert fingerprint([image, other]) != fingerprint([image])
    assert fingerprint([image]) != fingerprint([ReviewedImage("motorcycle", image.body)])


@pytest.mark.parametrize("data_format", ["images", "recordio"])
def test_staged_images_can_be_read_from_the_bucket(selection: Selection, tmp_path: Path, data_format: Format) -> None:
    # GIVEN
    s3, manifest = stage_selection(selection, tmp_path / "images", data_format)

    # WHEN
    found = read_staged(manifest, "b", s3=s3)

    # THEN
    for split in SPLITS:
        assert np.array_equal(found.splits[split].pixels, selection.splits[split].pixels)
        assert np.array_equal(found.splits[split].labels, selection.splits[split].labels)
    assert found.splits["test"].names == selection.splits["test"].names
    assert found.others is not None
    assert selection.others is not None
    assert np.array_equal(found.others.pixels, selection.others.pixels)
    assert (found.classes, found.seed) == (selection.classes, selection.seed)


@pytest.mark.parametrize("data_format", ["images", "recordio"])
def test_reviewed_images_replace_those_that_were_staged_before(
    selection: Selection, tmp_path: Path, data_format: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a data set with reviewed images 0 to 39
    s3, original = stage_selection(selection, tmp_path / "images", data_format)
    first = stage_reviewed(original, reviewed(40), bucket="b", directory=tmp_path / "images", s3=s3)

    # WHEN reviewed images 1 to 60 are staged: image 0 is no longer reviewed, and images 40 to 60 are new
    second = stage_reviewed(first, reviewed(60, first=1), bucket="b", directory=tmp_path / "images", s3=s3)

    # THEN
    assert read_manifest("b", s3=s3) == second
    assert second.reviewed is not None
    assert second.reviewed.count == 60
    assert second.splits["train"].count + second.splits["validation"].count == 20 + 60
    assert second.checksums("test") == original.checksums("test")
    assert second.source == "an archive"
    assert second.description == "an archive and 60 reviewed images"
    assert second.synthetic
    assert second.has_pretraining_data
    assert "60 reviewed images added: train " in capsys.readouterr().out
    if data_format == "images":
        assert original.objects.keys() - {"train.lst", "validation.lst"} < second.objects.keys()
        assert sum("/live-" in key for key in second.objects) == 60


def test_staging_the_source_again_removes_the_reviewed_images_and_says_so(
    selection: Selection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a data set with nine reviewed images
    s3, original = stage_selection(selection, tmp_path / "images")
    stage_reviewed(original, reviewed(9), bucket="b", directory=tmp_path / "images", s3=s3)

    # WHEN the images of the source are staged without them
    dataset = write(selection, directory=tmp_path / "images")
    again = load(dataset, bucket="b", source=Source(tmp_path, "an archive", "0" * 32, synthetic=True), s3=s3)

    # THEN
    assert again == original
    assert not any("live-" in key for key in s3.objects)
    assert "no longer staged: `make retrain` adds them again" in capsys.readouterr().out


def test_staging_no_reviewed_images_is_an_error_and_writes_nothing(selection: Selection, tmp_path: Path) -> None:
    # GIVEN
    s3, manifest = stage_selection(selection, tmp_path / "images")
    writes = list(s3.writes)

    # WHEN
    with pytest.raises(StagingError, match="no reviewed images to train on: label some with `make review`"):
        stage_reviewed(manifest, [], bucket="b", directory=tmp_path / "images", s3=s3)

    # THEN
    assert s3.writes == writes


def test_error_for_a_damaged_staged_image_says_to_stage_again(selection: Selection, tmp_path: Path) -> None:
    # GIVEN
    s3, manifest = stage_selection(selection, tmp_path / "images")
    key = next(key for key in manifest.objects if key.startswith("train/"))
    s3.objects[key]["body"] = b"damaged"

    # WHEN / THEN
    with pytest.raises(StagingError, match=r"a staged image is damaged .*: run `make stage`"):
        read_staged(manifest, "b", s3=s3)
