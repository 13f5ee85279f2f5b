"""A folder of photographs, with a sub-folder for each class, is divided into splits and staged."""

import io
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from staging.errors import StagingError
from staging.folder import folder_md5, read_folder
from staging.images import SPLITS, Selection, digest
from staging.source import resolve
from staging.stage import stage
from tests.unit.staging.fakes import FakeS3
from training.container.classifier.images import decode_image

CLASSES = ("bicycle", "motorcycle")


def make_image(seed: int, *, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """Return an image of random pixels; `size` is width and height."""
    pixels = np.random.default_rng(seed).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 60 different images of each class."""
    root = tmp_path / "photographs"
    for number, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for image in range(60):
            make_image(1000 * number + image).save(root / name / f"IMG {image}.png")
    return root


def splits_by_digest(selection: Selection) -> dict[str, str]:
    """Return the name of each image's split, by the digest of the image."""
    return {digest(pixels): split for split in SPLITS for pixels in selection.splits[split].pixels}


def test_every_image_is_in_one_split_with_its_class(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    selection = read_folder(folder, classes=CLASSES)

    # THEN the sizes of the splits are printed
    sizes = ", ".join(f"{split} {len(selection.splits[split])}" for split in SPLITS)
    assert capsys.readouterr().out == f"images: {sizes}\n"

    # AND each image has its class
    expected = {
        digest(decode_image(path.read_bytes(), ("PNG",), 32)): CLASSES.index(path.parent.name)
        for path in folder.glob("*/*.png")
    }
    found = [
        (digest(pixels), int(label))
        for images in selection.splits.values()
        for pixels, label in zip(images.pixels, images.labels, strict=True)
    ]
    assert len(found) == 120
    assert dict(found) == expected
    assert 70 < len(selection.splits["train"]) < 100
    names = [name for images in selection.splits.values() for name in images.names]
    assert len(set(names)) == 120
    assert all(name.startswith("IMG_") and name.endswith(".png") for name in names)


def test_images_keep_their_splits_when_files_are_added_and_renamed(folder: Path) -> None:
    # GIVEN the splits of 120 images
    before = splits_by_digest(read_folder(folder, classes=CLASSES))

    # WHEN all files are renamed, and 80 images are added
    for path in list(folder.glob("*/*.png")):
        path.rename(path.with_name(f"renamed {path.name}"))
    for image in range(80):
        make_image(5000 + image).save(folder / "bicycle" / f"{image}.png")
    after = splits_by_digest(read_folder(folder, classes=CLASSES))

    # THEN
    assert len(after) == 200
    assert before.items() <= after.items()


def test_different_seeds_give_different_splits(folder: Path) -> None:
    assert splits_by_digest(read_folder(folder, classes=CLASSES)) != splits_by_digest(
        read_folder(folder, classes=CLASSES, seed=1)
    )


def test_copies_of_an_image_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a copy of an image, and a second copy with different metadata and compression
    image = folder / "bicycle" / "IMG 7.png"
    shutil.copy(image, folder / "bicycle" / "copy.png")
    with Image.open(image) as opened:
        opened.save(folder / "bicycle" / "exif.png", exif=Image.Exif(), compress_level=1)

    # WHEN
    selection = read_folder(folder, classes=CLASSES)

    # THEN
    assert len(splits_by_digest(selection)) == sum(len(images) for images in selection.splits.values()) == 120
    assert "2 files left out" in (output := capsys.readouterr().out)
    assert "bicycle/copy.png: the same image as bicycle/IMG 7.png" in output


def test_image_in_two_classes_is_left_out_of_all_splits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "bicycle" / "IMG 7.png", folder / "motorcycle" / "a.png")

    selection = read_folder(folder, classes=CLASSES)

    assert len(splits_by_digest(selection)) == 119
    assert "motorcycle/a.png: the same image is in another class" in capsys.readouterr().out


def large_png(side: int = 60_000) -> bytes:
    """Return a small PNG file whose header states side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def encode_jpeg(image: Image.Image, **options: object) -> bytes:
    """Return an image as a JPEG file; `options` are those of Pillow."""
    with io.BytesIO() as stream:
        image.save(stream, format="JPEG", **options)
        return stream.getvalue()


def test_files_that_are_not_valid_images_are_left_out_and_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    bicycles = folder / "bicycle"
    (bicycles / "empty.png").write_bytes(b"")
    (bicycles / "notes.txt").write_text("notes")
    (bicycles / "cut.jpg").write_bytes(encode_jpeg(make_image(1, size=(300, 300)))[:2000])
    (bicycles / "bomb.png").write_bytes(large_png())
    (bicycles / "line\nbreak\t.gif").write_bytes(b"GIF89a")
    (folder / os.fsdecode(b"bicycle/\xff.txt")).write_text("a name that is not UTF-8")
    (bicycles / "deeper").mkdir()
    os.mkfifo(bicycles / "pipe.png")
    (folder / "outside.png").write_bytes((bicycles / "IMG 1.png").read_bytes())
    (bicycles / "link.png").symlink_to(folder / "outside.png")

    # WHEN
    selection = read_folder(folder, classes=CLASSES)

    # THEN
    assert len(splits_by_digest(selection)) == 120
    output = capsys.readouterr().out
    assert "9 files left out:" in output
    assert "bicycle/link.png: a symbolic link" in output
    assert "bicycle/pipe.png: not a regular file" in output
    assert "bicycle/deeper: a folder" in output
    assert "bicycle/empty.png: the image is empty" in output
    assert "bicycle/line?break?.gif: the image cannot be decoded as PNG or JPEG" in output
    assert "bicycle/bomb.png: the image cannot be decoded as PNG or JPEG: Image size (3600000000 pixels)" in output
    output.encode()


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        (lambda image, path: image.convert("RGBA").save(path), None),
        (lambda image, path: Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(path), 40_000 >> 8),
        (lambda image, path: image.convert("P").save(path), None),
        (lambda image, path: image.resize((900, 600)).save(path), None),
        (lambda image, path: image.resize((1, 1)).save(path), None),
    ],
    ids=["transparency", "16 bits", "palette", "large", "one pixel"],
)
def test_png_files_of_every_kind_are_read_with_the_pixels_that_the_endpoint_reads(
    folder: Path, save: Callable[[Image.Image, Path], None], expected: int | None
) -> None:
    # GIVEN
    path = folder / "bicycle" / "other.png"
    save(make_image(9), path)

    # WHEN
    found = {
        digest(pixels): pixels
        for each in read_folder(folder, classes=CLASSES).splits.values()
        for pixels in each.pixels
    }

    # THEN the pixels equal those that the endpoint's code decodes
    served = decode_image(path.read_bytes(), ("PNG",), 32)
    assert digest(served) in found
    assert expected is None or (served == expected).all()


def test_very_large_image_is_rejected_without_a_warning_from_pillow(tmp_path: Path) -> None:
    # GIVEN an image with so many pixels that Pillow warns, but so few that Pillow still decodes the image
    path = tmp_path / "large.png"
    path.write_bytes(large_png(9_500))
    read = "import sys, pathlib; from staging.folder import _decode; print(_decode(pathlib.Path(sys.argv[1])))"

    # WHEN the image is read in a separate process, because pytest changes the filters of warnings
    completed = subprocess.run([sys.executable, "-c", read, str(path)], capture_output=True, text=True, check=True)

    # THEN
    assert completed.stdout.startswith("the image has 9500 x 9500 pixels; at most ")
    assert completed.stderr == ""


def test_exif_orientation_of_a_jpeg_is_applied(folder: Path) -> None:
    # GIVEN a wide image whose left half is black, and whose EXIF orientation is a rotation by 90 degrees clockwise
    pixels = np.full((64, 128, 3), 255, np.uint8)
    pixels[:, :64] = 0
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "bicycle" / "phone.JPG").write_bytes(encode_jpeg(Image.fromarray(pixels), exif=exif, quality=95))

    # WHEN
    selection = read_folder(folder, classes=CLASSES)

    # THEN the top half of the staged image is black
    (image,) = (
        pixels
        for images in selection.splits.values()
        for name, pixels in zip(images.names, images.pixels, strict=True)
        if name.startswith("phone")
    )
    assert image[:14].max() < 20
    assert image[18:].min() > 235


def test_sub_folders_of_other_classes_are_listed_or_used_for_pretraining(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a sub-folder whose class is not in the setting `classes`
    (folder / "tractor").mkdir()
    make_image(77).save(folder / "tractor" / "a.png")

    # WHEN other classes are not requested / THEN the sub-folder is listed as left out
    assert read_folder(folder, classes=CLASSES).others is None
    assert "1 sub-folder left out, not in the setting `classes`:\n  tractor" in capsys.readouterr().out

    # WHEN other classes are requested / THEN their images are returned for pretraining
    others = read_folder(folder, classes=CLASSES, other_classes=True).others
    assert others is not None
    assert others.labels.tolist() == [0]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("bicycle", "bus"), "has no sub-folder for the class bus; it has bicycle, few, line[?]break, motorcycle"),
        (("bicycle", "motorcycles"), "for the class motorcycles; the most similar is 'motorcycle': create it"),
        (("bicycle", "few"), "has 1 different image, of which none is in the (validation|test|train) split"),
        (("bicycle", "linked"), "has no sub-folder for the class linked"),
    ],
)
def test_class_without_a_sub_folder_or_enough_images_is_rejected(
    folder: Path, classes: tuple[str, ...], message: str
) -> None:
    # GIVEN sub-folders with one image, with a line break in the name, and behind a symbolic link
    (folder / "few").mkdir()
    (folder / "line\nbreak").mkdir()
    make_image(12345).save(folder / "few" / "a.png")
    (folder / "linked").symlink_to(folder / "motorcycle")

    # WHEN / THEN
    with pytest.raises(StagingError, match=message):
        read_folder(folder, classes=classes)


def test_folder_can_be_staged(folder: Path, tmp_path: Path) -> None:
    # GIVEN
    source = resolve(str(folder), directory=tmp_path, classes=CLASSES)
    s3 = FakeS3()

    # WHEN
    manifest = stage(source, classes=CLASSES, bucket="bucket", directory=tmp_path / "images", s3=s3)

    # THEN
    assert manifest.source == f"folder photographs (md5 {folder_md5(folder)})"
    assert manifest.source_md5 == source.md5
    assert not manifest.synthetic
    assert sum(size.count for size in manifest.splits.values()) == 120
    assert set(manifest.objects) == set(s3.list_keys()) - {"manifest.json"}

    # AND an additional image changes the folder's MD5
    make_image(9999).save(folder / "bicycle" / "new.png")
    assert folder_md5(folder) != source.md5
