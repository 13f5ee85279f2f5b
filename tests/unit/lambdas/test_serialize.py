"""What is no small, whole image is refused by name, before anybody downstream pays for it."""

import base64
import io
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.images import SIGNATURE, chunk, draw, header, jpeg, png

EVENT = {"s3_bucket": "some-bucket", "s3_key": "test/image"}
PNG, JPEG = draw("PNG"), draw("JPEG")


class Body(io.BytesIO):
    """An object's bytes, that know whether they were read."""

    was_read = False

    def read(self, size: int | None = -1) -> bytes:
        self.was_read = True
        return super().read(size)


class FakeS3:
    """A bucket with one object, or one that refuses."""

    def __init__(self, content: bytes = b"", *, refuses: str | None = None) -> None:
        self.body = Body(content)
        self.asked: list[dict[str, str]] = []
        self._size = len(content)
        self._refuses = refuses

    def get_object(self, **request: str) -> dict[str, Any]:
        self.asked.append(request)
        if self._refuses:
            raise ClientError({"Error": {"Code": self._refuses, "Message": "refused"}}, "GetObject")
        return {"ContentLength": self._size, "Body": self.body}


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, s3: FakeS3, event: Any = EVENT) -> Any:
    monkeypatch.setattr(module, "s3", s3)
    return module.handler(event, None)


@pytest.mark.parametrize("event", [EVENT, {"statusCode": 200, "body": EVENT}], ids=["plain", "in a body"])
@pytest.mark.parametrize(
    "image",
    [PNG, JPEG, PNG + b"more", JPEG + b"\0\0"],
    ids=["png", "jpeg", "png with something behind", "padded jpeg"],
)
def test_a_whole_image_is_passed_on_in_base64(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], image: bytes
) -> None:
    # GIVEN
    s3 = FakeS3(image)

    # WHEN
    answer = run(serialize, monkeypatch, s3, event)

    # THEN
    assert s3.asked == [{"Bucket": "some-bucket", "Key": "test/image"}]
    assert answer["statusCode"] == 200
    assert base64.b64decode(answer["body"].pop("image_data")) == image
    assert answer["body"] == {**EVENT, "inferences": []}


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "test/image",
        {},
        {"body": None},
        {"body": "test/image"},
        {"s3_bucket": "some-bucket"},
        {"s3_key": "test/image"},
        {**EVENT, "s3_key": ""},
        {**EVENT, "s3_bucket": 7},
    ],
    ids=["null", "list", "text", "empty", "null body", "text body", "no key", "no bucket", "empty key", "number"],
)
def test_an_event_that_names_no_image_is_refused_before_s3_is_asked(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, event: Any
) -> None:
    # GIVEN
    s3 = FakeS3(PNG)

    # WHEN
    with pytest.raises(serialize.EventError):
        run(serialize, monkeypatch, s3, event)

    # THEN
    assert s3.asked == []


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket", "404"])
def test_a_missing_object_is_named(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    # GIVEN
    s3 = FakeS3(refuses=code)

    # WHEN / THEN
    with pytest.raises(serialize.ImageMissingError, match="s3://some-bucket/test/image"):
        run(serialize, monkeypatch, s3)


def test_any_other_refusal_of_s3_stays_what_it_is(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(refuses="AccessDenied")

    # WHEN / THEN
    with pytest.raises(ClientError, match="AccessDenied"):
        run(serialize, monkeypatch, s3)


def test_an_empty_object_is_refused(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(b"")

    # WHEN / THEN
    with pytest.raises(serialize.ImageEmptyError):
        run(serialize, monkeypatch, s3)


def test_an_object_of_too_many_bytes_is_refused_unread(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(PNG.ljust(serialize.MAX_BYTES + 1, b"\0"))

    # WHEN
    with pytest.raises(serialize.ImageTooLargeError, match="180001 bytes"):
        run(serialize, monkeypatch, s3)

    # THEN
    assert not s3.body.was_read


def test_the_largest_image_fits_a_state_machine(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    s3 = FakeS3(PNG.ljust(serialize.MAX_BYTES, b"\0"))

    # WHEN
    answer = run(serialize, monkeypatch, s3)

    # THEN
    assert len(answer["body"]["image_data"]) < 262_144 - 10_000


@pytest.mark.parametrize("make", [png, jpeg])
def test_the_largest_size_in_pixels_passes_and_one_row_more_is_refused(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    # GIVEN
    largest, larger = FakeS3(make(4096, 4096)), FakeS3(make(4096, 4097))

    # WHEN
    answer = run(serialize, monkeypatch, largest)

    # THEN
    assert answer["statusCode"] == 200
    with pytest.raises(serialize.ImageTooLargeError, match="4096 x 4097 pixels"):
        run(serialize, monkeypatch, larger)


@pytest.mark.parametrize(
    "content",
    [b"GIF89a" + b"\0" * 20, b"RIFF\0\0\0\0WEBP", b"<svg/>", b"\x89PNG\r\n", b"\xff\xd8", b"bicycle"],
    ids=["gif", "webp", "svg", "half a png's signature", "half a jpeg's", "text"],
)
def test_what_is_neither_png_nor_jpeg_is_refused(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    # GIVEN
    s3 = FakeS3(content)

    # WHEN / THEN
    with pytest.raises(serialize.ImageFormatError):
        run(serialize, monkeypatch, s3)


BROKEN = {
    "png's signature alone": SIGNATURE,
    "png without IEND": PNG[:-12],
    "png cut in a chunk": PNG[:-20],
    "png cut in its last checksum": PNG[:-1],
    "png with a flipped bit": PNG.replace(b"IDAT", b"IDAU"),
    "png with a wrong checksum": PNG[:-1] + bytes([PNG[-1] ^ 1]),
    "png without IDAT": SIGNATURE + header(8, 6) + chunk(b"IEND"),
    "png without IHDR": SIGNATURE + chunk(b"IDAT") + chunk(b"IEND"),
    "png with a short IHDR": SIGNATURE + chunk(b"IHDR", b"\0\0") + chunk(b"IDAT") + chunk(b"IEND"),
    "png with two sizes": SIGNATURE + header(50_000, 50_000) + header(8, 6) + chunk(b"IDAT") + chunk(b"IEND"),
    "png whose IHDR comes late": SIGNATURE + chunk(b"IDAT") + header(8, 6) + chunk(b"IEND"),
    "png of no pixels": png(0, 6),
    "jpeg's signature alone": b"\xff\xd8\xff",
    "jpeg without its end": JPEG[:-2],
    "jpeg cut in the middle": JPEG[: len(JPEG) // 2],
    "jpeg cut and closed": JPEG[:30] + b"\xff\xd9",
    "jpeg of an end alone": b"\xff\xd8\xff\xd9",
    "jpeg with a scan and no frame": b"\xff\xd8\xff\xda\0\x02\xff\xd9",
    "jpeg with no marker where one must be": b"\xff\xd8\xff\xe0\0\x04ab" + b"cd" + b"\xff\xd9",
    "jpeg of no pixels": jpeg(8, 0),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_image_is_refused(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    # GIVEN
    s3 = FakeS3(content)

    # WHEN / THEN
    with pytest.raises(serialize.ImageInvalidError, match="s3://some-bucket/test/image is broken"):
        run(serialize, monkeypatch, s3)


@pytest.mark.parametrize("cut", range(1, len(JPEG), 7))
def test_a_jpeg_cut_anywhere_is_refused(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    # GIVEN
    s3 = FakeS3(JPEG[:cut])

    # WHEN / THEN
    with pytest.raises((serialize.ImageInvalidError, serialize.ImageFormatError)):
        run(serialize, monkeypatch, s3)


def test_fill_bytes_before_a_marker_are_allowed(serialize: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a JPEG as T.81, B.1.1.2 allows it
    s3 = FakeS3(JPEG[:2] + b"\xff\xff" + JPEG[2:])

    # WHEN
    answer = run(serialize, monkeypatch, s3)

    # THEN
    assert answer["statusCode"] == 200


def test_the_log_says_which_execution_asks_for_which_image_even_where_it_is_missing(
    serialize: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN
    s3, event = FakeS3(refuses="NoSuchKey"), {"execution": "some-arn", "body": EVENT}

    # WHEN
    with caplog.at_level("INFO"), pytest.raises(serialize.ImageMissingError):
        run(serialize, monkeypatch, s3, event)

    # THEN
    (line,) = caplog.records
    assert (line.__dict__["execution"], line.__dict__["image"]) == ("some-arn", "s3://some-bucket/test/image")
