"""What the model server calls: answers as in training, refusals by status and reason."""

import base64
import csv
import io
import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from inference import MAX_IMAGES, Model, RequestError, model_fn, transform_fn
from pictures import MAX_BYTES, picture
from PIL import ExifTags, Image

from tests.unit.container.jobs import Job, encoded


@pytest.fixture(scope="module")
def model(trained: Job) -> Model:
    """The trained model, loaded as the server loads it."""
    return model_fn(str(trained.model))


@pytest.fixture
def noise() -> Image.Image:
    """Noise of the training's size."""
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def ask(model: Model, body: bytes, content_type: str = "image/png") -> list[float]:
    answer, kind = transform_fn(model, body, content_type, "application/json")
    assert kind == "application/json"
    probabilities: list[float] = json.loads(answer)
    return probabilities


def many(*bodies: bytes) -> str:
    return json.dumps({"instances": [{"b64": base64.b64encode(body).decode()} for body in bodies]})


def test_the_served_answer_is_the_trained_networks(model: Model, trained: Job) -> None:
    # GIVEN each validation row's probabilities, as the job wrote them down
    with (trained.folder / "output" / "data" / "validation.csv").open() as stream:
        rows = list(csv.reader(stream))

    # WHEN / THEN
    for name, _, *expected in rows:
        body = (trained.folder / "validation" / name).read_bytes()
        assert ask(model, body) == pytest.approx([float(each) for each in expected], abs=1e-3)


@pytest.mark.parametrize(
    ("mode", "kind", "content_type"),
    [
        ("RGB", "PNG", "image/png"),
        ("RGBA", "PNG", "image/png; charset=binary"),
        ("P", "PNG", "application/x-image"),
        ("L", "JPEG", "image/jpeg"),
        ("CMYK", "JPEG", "application/x-image"),
    ],
)
def test_every_allowed_form_gets_probabilities(
    model: Model, noise: Image.Image, mode: str, kind: str, content_type: str
) -> None:
    probabilities = ask(model, encoded(noise.convert(mode), kind), content_type)
    assert len(probabilities) == 2
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_several_images_in_one_request_are_answered_in_their_order(model: Model, noise: Image.Image) -> None:
    # GIVEN
    bodies = [encoded(noise), encoded(noise.transpose(Image.Transpose.ROTATE_90), "JPEG"), encoded(noise.convert("L"))]

    # WHEN
    answer, _ = transform_fn(model, many(*bodies), "application/json", "*/*")

    # THEN
    alone = [ask(model, body, "application/x-image") for body in bodies]
    assert np.allclose(json.loads(answer), alone, atol=1e-5)


@pytest.mark.parametrize("size", [(130, 70), (20, 48), (33, 33)], ids=str)
def test_another_size_is_resized_as_the_training_resizes_it(
    model: Model, trained: Job, noise: Image.Image, size: tuple[int, int]
) -> None:
    # GIVEN an image, and what the training's own reader makes of it
    from data import read_channel

    folder = trained.folder / f"size-{size[0]}"
    (folder / "images").mkdir(parents=True)
    (folder / "manifest").mkdir()
    other = encoded(noise.resize(size, Image.Resampling.LANCZOS))
    (folder / "images" / "a.png").write_bytes(other)
    (folder / "manifest" / "a.lst").write_text("0\t1\ta.png\n")
    channels = {"SM_CHANNEL_ONE": str(folder / "images"), "SM_CHANNEL_ONE_LST": str(folder / "manifest")}
    trained_on = read_channel("one", classes=2, size=32, environment=channels).images[0]

    # WHEN / THEN
    assert np.array_equal(picture(other, ("PNG",), model.size), trained_on)
    assert ask(model, other) == pytest.approx(ask(model, encoded(Image.fromarray(trained_on))))


def test_sixteen_bits_of_grey_keep_their_shades() -> None:
    # GIVEN 1024 shades, darkest to lightest
    shades = (np.arange(32 * 32, dtype=np.uint16) * 64).reshape(32, 32)

    # WHEN
    found = picture(encoded(Image.fromarray(shades)), ("PNG",), 32)

    # THEN
    assert np.array_equal(found, np.repeat((shades // 256)[:, :, None], 3, axis=2))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photograph_is_turned_as_its_camera_says(kind: str) -> None:
    # GIVEN one that is dark above, taken by a camera on its side
    upright = Image.fromarray(np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[:, None], 32, axis=1))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned right by a quarter
    stream = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(stream, kind, exif=exif, quality=95)

    # WHEN
    found = picture(stream.getvalue(), (kind,), 32)

    # THEN
    assert np.allclose(found, picture(encoded(upright), ("PNG",), 32), atol=4)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def late_profile(noise: Image.Image) -> bytes:
    """A PNG with an empty colour profile behind its pixels, at which Pillow 13 raises IndexError."""
    end = chunk(b"IEND", b"")
    return encoded(noise).removesuffix(end) + chunk(b"iCCP", b"") + end


def cut_off(noise: Image.Image) -> bytes:
    return encoded(noise)[:-200]


@pytest.mark.parametrize(
    ("make_body", "reason"),
    [
        (lambda noise: b"", "the image is empty"),
        (lambda noise: b"\x89PNG" + b"\0" * MAX_BYTES, "bytes, and .* are allowed"),
        (lambda noise: png(50_000, 50_000), "pixels"),
        (cut_off, "no PNG that can be decoded"),
        (late_profile, "no PNG that can be decoded"),
        (lambda noise: b"hello", "no PNG that can be decoded"),
        (lambda noise: encoded(noise, "GIF"), "no PNG that can be decoded"),
        (lambda noise: encoded(noise, "JPEG"), "no PNG that can be decoded"),
        (lambda noise: b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0"), "no PNG"),
        (lambda noise: png(32, 32, chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 2**26))), "no PNG"),
    ],
    ids=[
        "empty",
        "large",
        "many pixels",
        "cut off",
        "late profile",
        "text",
        "gif",
        "jpeg",
        "short header",
        "text bomb",
    ],
)
def test_a_bad_image_is_the_clients_error(
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
        many(*[b""] * (MAX_IMAGES + 1)),
        "[" * 100_000,
    ],
    ids=range(11),
)
def test_a_body_that_is_no_list_of_images_is_the_clients_error(model: Model, body: str) -> None:
    with pytest.raises(RequestError, match="the body must be") as caught:
        transform_fn(model, body, "application/json", "application/json")
    assert caught.value.status_code == 400


def test_a_type_that_is_not_served_is_an_error_of_its_own(model: Model, noise: Image.Image) -> None:
    with pytest.raises(RequestError, match="text/csv is not served: send image/png") as caught:
        transform_fn(model, encoded(noise), "text/csv", "application/json")
    assert caught.value.status_code == 415
    with pytest.raises(RequestError, match="answers are application/json, not text/csv") as caught:
        transform_fn(model, encoded(noise), "image/png", "text/csv")
    assert caught.value.status_code == 415
