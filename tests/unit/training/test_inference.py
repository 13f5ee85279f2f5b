"""The four functions that the model server calls: answers as in training, refusals by reason."""

import csv
import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from inference import (
    MAX_BYTES,
    ContentTypeError,
    ImageError,
    Model,
    input_fn,
    model_fn,
    output_fn,
    predict_fn,
)
from PIL import Image

from tests.unit.training.jobs import Job, encoded


@pytest.fixture(scope="module")
def model(trained: Job) -> Model:
    """The trained model, loaded as the server loads it."""
    return model_fn(str(trained.model))


@pytest.fixture
def picture() -> Image.Image:
    """Noise of the training's size."""
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def ask(model: Model, body: bytes, content_type: str = "image/png") -> list[float]:
    answer, kind = output_fn(predict_fn(input_fn(body, content_type), model), "application/json")
    assert kind == "application/json"
    probabilities: list[float] = json.loads(answer)
    return probabilities


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
    model: Model, picture: Image.Image, mode: str, kind: str, content_type: str
) -> None:
    probabilities = ask(model, encoded(picture.convert(mode), kind), content_type)
    assert len(probabilities) == 2
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_another_size_is_brought_to_the_trainings(model: Model, picture: Image.Image) -> None:
    # GIVEN
    large = picture.resize((130, 70), Image.Resampling.BICUBIC)

    # WHEN / THEN
    brought = large.resize((32, 32), Image.Resampling.BICUBIC)
    assert ask(model, encoded(large)) == pytest.approx(ask(model, encoded(brought)))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def cut_off(picture: Image.Image) -> bytes:
    return encoded(picture)[:-200]


@pytest.mark.parametrize(
    ("make_body", "reason"),
    [
        (lambda picture: b"", "the body is empty"),
        (lambda picture: b"\x89PNG" + b"\0" * MAX_BYTES, "bytes are allowed|are allowed"),
        (lambda picture: png(50_000, 50_000), "pixels"),
        (cut_off, "no image of type image/png that can be decoded"),
        (lambda picture: b"hello", "no image of type image/png that can be decoded"),
        (lambda picture: encoded(picture, "GIF"), "no image of type image/png that can be decoded"),
        (lambda picture: encoded(picture, "JPEG"), "no image of type image/png that can be decoded"),
        (lambda picture: b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0"), "no image of type image/png"),
        (lambda picture: png(32, 32, chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 2**26))), "no image of type"),
    ],
    ids=["empty", "large", "many pixels", "cut off", "text", "gif", "jpeg", "short header", "text bomb"],
)
def test_a_bad_body_is_the_clients_error(
    picture: Image.Image, make_body: Callable[[Image.Image], bytes], reason: str
) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        input_fn(make_body(picture), "image/png")
    assert caught.value.status_code == 400
    assert "\n" not in str(caught.value)


def test_a_type_that_is_not_served_is_an_error_of_its_own(picture: Image.Image) -> None:
    with pytest.raises(ContentTypeError, match="text/csv is not served: send image/png") as caught:
        input_fn(encoded(picture), "text/csv")
    assert caught.value.status_code == 415
    with pytest.raises(ContentTypeError, match="answers are application/json, not text/csv"):
        output_fn(np.array([0.5, 0.5], np.float32), "text/csv")
