"""The page shows a new JPEG file with the pixels of an image, not the image's original file."""

import io

import pytest
from PIL import Image

from evaluation.review.entries import read_entry
from evaluation.review.pictures import PictureError, encode, read_picture
from tests.unit.evaluation.review.fakes import FakeS3, add_selected, make_store, png


@pytest.mark.parametrize(
    ("size", "shown"),
    [((8, 6), (512, 384)), ((600, 400), (600, 400)), ((400, 2000), (256, 1280)), ((3000, 1), (1280, 1))],
)
def test_small_images_are_enlarged_and_large_images_are_scaled_down(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    # WHEN
    picture = Image.open(io.BytesIO(encode(png(size=size))))

    # THEN
    assert (picture.format, picture.size) == ("JPEG", shown)


def test_metadata_and_bytes_after_the_image_are_not_copied() -> None:
    # GIVEN
    image, stream = Image.new("RGB", (600, 400)), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "some description"
    image.save(stream, format="JPEG", exif=exif)

    # WHEN
    picture = encode(stream.getvalue() + b"<script>")

    # THEN
    assert b"<script>" not in picture
    assert b"some description" not in picture


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16", "1", "CMYK"])
def test_images_of_any_mode_are_converted_to_rgb(mode: str) -> None:
    # GIVEN
    stream = io.BytesIO()
    Image.new(mode, (8, 6)).save(stream, format="JPEG" if mode == "CMYK" else "PNG")

    # WHEN / THEN
    assert Image.open(io.BytesIO(encode(stream.getvalue()))).mode == "RGB"


@pytest.mark.parametrize("image", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_error_names_a_file_that_is_not_an_image(image: bytes) -> None:
    # GIVEN
    s3 = FakeS3()
    key = add_selected(s3, "5c0e", image=image)

    # WHEN / THEN
    with pytest.raises(PictureError, match=r"review/selected/5c0e\.json: the image"):
        read_picture(make_store(s3), read_entry(make_store(s3), key))


def test_large_object_is_read_only_up_to_the_size_limit_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an image whose object does not fit into memory
    s3, body = FakeS3(), LargeBody()
    key = add_selected(s3, "5c0e")
    entry = read_entry(make_store(s3), key)
    monkeypatch.setattr(s3, "get_object", lambda **request: {"Body": body})

    # WHEN / THEN
    with pytest.raises(PictureError, match="at most 5242880 are allowed"):
        read_picture(make_store(s3), entry)


class LargeBody:
    """The body of an object that is so large that only parts of it can be read."""

    def read(self, amount: int) -> bytes:
        """Return a part of the body with the requested number of bytes."""
        return bytes(amount)
