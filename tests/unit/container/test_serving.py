"""The serving code returns the training job's predictions, and rejects invalid requests with a status and a reason."""

import base64
import csv
import io
import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.unit.container.jobs import Job, encoded, predict_in_process
from training.container.classifier.data import read_channel
from training.container.classifier.images import MAX_BYTES, ImageError, decode_image
from training.container.classifier.serving import MAX_IMAGES, Model, RequestError, accepts_json, model_fn, transform_fn


@pytest.fixture(scope="module")
def model(trained: Job) -> Model:
    """The trained model, loaded as the model server loads it."""
    return model_fn(str(trained.model))


@pytest.fixture
def noise() -> Image.Image:
    """A noise image of 32 x 32 pixels, the size of the model's input."""
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def predict(model: Model, body: bytes, content_type: str = "image/png") -> list[float]:
    """Return the class probabilities that the serving code returns for an image."""
    response, kind = transform_fn(model, body, content_type, "application/json")
    assert kind == "application/json"
    probabilities: list[float] = json.loads(response)
    return probabilities


def make_batch(*bodies: bytes) -> str:
    """Return the body of a request with several images."""
    return json.dumps({"instances": [{"b64": base64.b64encode(body).decode()} for body in bodies]})


def test_served_probabilities_equal_those_that_the_training_job_wrote(model: Model, trained: Job) -> None:
    # GIVEN the validation predictions that the training job wrote
    with trained.predictions.open() as stream:
        predictions = list(csv.reader(stream))

    # WHEN / THEN
    for name, _, *expected in predictions:
        body = (trained.folder / "validation" / name).read_bytes()
        assert predict(model, body) == pytest.approx([float(each) for each in expected], abs=1e-3)


def test_model_predicts_with_only_the_code_in_its_archive(trained: Job) -> None:
    # GIVEN a validation prediction that the training job wrote
    with trained.predictions.open() as stream:
        name, _, *expected = next(csv.reader(stream))

    # WHEN
    probabilities = predict_in_process(trained.model / "code", trained.folder / "validation" / name)

    # THEN
    assert probabilities == pytest.approx([float(each) for each in expected], abs=1e-3)


@pytest.mark.parametrize(
    ("mode", "kind", "content_type"),
    [
        ("RGB", "PNG", "image/png"),
        ("RGBA", "PNG", "image/png; charset=binary"),
        ("P", "PNG", "application/x-image"),
        ("L", "JPEG", "image/jpeg"),
        ("CMYK", "JPEG", "application/x-image"),
        ("1", "PNG", "image/png"),
        ("LA", "PNG", "image/png"),
    ],
)
def test_images_of_every_mode_and_format_are_classified(
    model: Model, noise: Image.Image, mode: str, kind: str, content_type: str
) -> None:
    probabilities = predict(model, encoded(noise.convert(mode), kind), content_type)
    assert len(probabilities) == 2
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_response_has_the_order_of_the_images_in_the_request(model: Model, noise: Image.Image) -> None:
    # GIVEN three different images
    bodies = [encoded(noise), encoded(noise.transpose(Image.Transpose.ROTATE_90), "JPEG"), encoded(noise.convert("L"))]

    # WHEN one request contains all of them
    response, _ = transform_fn(model, make_batch(*bodies), "application/json", "*/*")

    # THEN the response equals those of three requests, in the same order
    alone = [predict(model, body, "application/x-image") for body in bodies]
    assert np.allclose(json.loads(response), alone, atol=1e-5)


@pytest.mark.parametrize("size", [(130, 70), (20, 48), (33, 33)], ids=str)
def test_images_of_a_different_size_are_resized_as_in_training(
    model: Model, trained: Job, noise: Image.Image, size: tuple[int, int]
) -> None:
    # GIVEN an image that is larger or smaller than the model's input, and its pixels as the training code reads them
    folder = trained.folder / f"size-{size[0]}"
    (folder / "images").mkdir(parents=True)
    (folder / "manifest").mkdir()
    body = encoded(noise.resize(size, Image.Resampling.LANCZOS))
    (folder / "images" / "a.png").write_bytes(body)
    (folder / "manifest" / "a.lst").write_text("0\t1\ta.png\n")
    channels = {"SM_CHANNEL_ONE": str(folder / "images"), "SM_CHANNEL_ONE_LST": str(folder / "manifest")}
    trained_on = read_channel("one", classes=2, size=32, environment=channels).images[0]

    # WHEN / THEN
    assert np.array_equal(decode_image(body, ("PNG",), model.size), trained_on)
    assert predict(model, body) == pytest.approx(predict(model, encoded(Image.fromarray(trained_on))))


def test_16_bit_greyscale_image_is_reduced_to_its_upper_8_bits() -> None:
    # GIVEN an image with 1024 shades of grey
    shades = (np.arange(32 * 32, dtype=np.uint16) * 64).reshape(32, 32)

    # WHEN
    found = decode_image(encoded(Image.fromarray(shades)), ("PNG",), 32)

    # THEN
    assert np.array_equal(found, np.repeat((shades // 256)[:, :, None], 3, axis=2))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_applied(kind: str) -> None:
    # GIVEN an image that is dark at the top, stored rotated, with the orientation in its EXIF data
    upright = Image.fromarray(np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[:, None], 32, axis=1))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # rotate by 90 degrees clockwise
    stream = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(stream, kind, exif=exif, quality=95)

    # WHEN
    found = decode_image(stream.getvalue(), (kind,), 32)

    # THEN
    assert np.allclose(found, decode_image(encoded(upright), ("PNG",), 32), atol=4)


def test_bytes_after_the_image_and_damaged_exif_data_are_ignored(noise: Image.Image) -> None:
    # GIVEN a JPEG, copies of it with bytes after the end, as cameras write them, and a copy with damaged EXIF data
    plain, damaged = encoded(noise, "JPEG"), io.BytesIO()
    noise.save(damaged, "JPEG", exif=b"Exif\0\0damaged")

    # WHEN / THEN
    for other in (plain + b"MAKERNOTE", plain + plain, damaged.getvalue()):
        assert np.array_equal(decode_image(other, ("JPEG",), 32), decode_image(plain, ("JPEG",), 32))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_image_is_rejected(noise: Image.Image, kind: str) -> None:
    # GIVEN an image file, in which the last 30 bytes contain the end marker and the last pixels
    body = encoded(noise, kind)

    # WHEN / THEN
    for length in range(1, len(body) - 30, 7):
        with pytest.raises(ImageError, match="cannot be decoded"):
            decode_image(body[:length], (kind,), 32)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a PNG chunk of the type `kind`."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes) -> bytes:
    """Return a PNG without pixels, with the width and height in its header, and with the chunks `more`."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def late_profile(noise: Image.Image) -> bytes:
    """Return a PNG with an empty color profile after its pixels, for which Pillow 13 raises IndexError."""
    end = chunk(b"IEND", b"")
    return encoded(noise).removesuffix(end) + chunk(b"iCCP", b"") + end


def truncated(noise: Image.Image) -> bytes:
    """Return a PNG that lacks its last 200 bytes."""
    return encoded(noise)[:-200]


@pytest.mark.parametrize(
    ("make_body", "reason"),
    [
        (lambda noise: b"", "the image is empty"),
        (lambda noise: b"\x89PNG" + b"\0" * MAX_BYTES, "bytes; at most .* are allowed"),
        (lambda noise: png(50_000, 50_000), "pixels"),
        (truncated, "cannot be decoded as PNG"),
        (late_profile, "cannot be decoded as PNG"),
        (lambda noise: b"hello", "cannot be decoded as PNG"),
        (lambda noise: encoded(noise, "GIF"), "cannot be decoded as PNG"),
        (lambda noise: encoded(noise, "JPEG"), "cannot be decoded as PNG"),
        (lambda noise: b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0"), "cannot be decoded as PNG"),
        (lambda noise: png(32, 32, chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 2**26))), "cannot be decoded as PNG"),
    ],
    ids=[
        "empty",
        "large",
        "many pixels",
        "truncated",
        "late profile",
        "text",
        "gif",
        "jpeg",
        "short header",
        "text bomb",
    ],
)
def test_invalid_image_is_rejected_with_status_400(
    model: Model, noise: Image.Image, make_body: Callable[[Image.Image], bytes], reason: str
) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        transform_fn(model, make_body(noise), "image/png", "application/json")
    assert caught.value.status_code == 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[",
        "[]",
        "{}",
        '{"instances": 3}',
        '{"instances": ["a"]}',
        '{"instances": [{"b64": 3}]}',
        '{"instances": [{"b64": "%"}]}',
        '{"instances": []}',
        make_batch(*[b""] * (MAX_IMAGES + 1)),
        "[" * 100_000,
    ],
    ids=range(11),
)
def test_invalid_list_of_images_is_rejected_with_status_400(model: Model, body: str) -> None:
    with pytest.raises(RequestError, match="the body must be") as caught:
        transform_fn(model, body, "application/json", "application/json")
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("accept", "accepts"),
    [
        ("application/json", True),
        ("text/csv, application/json", True),
        ("text/csv;q=0.9,application/json;q=0.1", True),
        ("Application/JSON; charset=utf-8 ; Q=0.5", True),
        ("text/html, */*;q=0.1", True),
        ("text/csv, application/*", True),
        ("", True),
        (" , ", True),
        ("application/json;q=0.001", True),
        ("text/csv", False),
        ("text/csv, image/*", False),
        ("application/json;q=0", False),
        ("*/*, application/json;q=0.000", False),
        ("application/*;q=0, */*", False),
        ("application/jsonlines", False),
    ],
)
def test_accept_header_is_a_list_of_weighted_media_ranges(accept: str, accepts: bool) -> None:
    assert accepts_json(accept) == accepts


def test_unsupported_content_type_or_accept_header_gives_status_415(model: Model, noise: Image.Image) -> None:
    with pytest.raises(RequestError, match=r"content type must be one of image/png, .* \(got text/csv\)") as caught:
        transform_fn(model, encoded(noise), "text/csv", "application/json")
    assert caught.value.status_code == 415
    with pytest.raises(RequestError, match=r"accept must be application/json \(got text/csv\)") as caught:
        transform_fn(model, encoded(noise), "image/png", "text/csv")
    assert caught.value.status_code == 415
