# ruff: noqa: N803  boto3's argument names
import base64
import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from evaluation.execution_details import ImageLocation, read_execution
from evaluation.execution_page import MAX_SIDE, read_picture, render
from tests.unit.evaluation.histories import ARN, FakeStates, failed_history, refusal
from tests.unit.evaluation.runs import make_png
from training.container.classifier.images import MAX_BYTES

LOCATION = ImageLocation("some-bucket", "test/a.png")
ORIENTATION = 0x0112  # EXIF tag
VOID = {"meta", "img", "br"}


class FakeS3:
    """An S3 client with one object; the `ContentLength` may be of a larger one."""

    def __init__(self, body: bytes, size: int | None = None) -> None:
        self._body, self._size = body, size

    def get_object(self, *, Bucket: str, Key: str, **version: str) -> dict[str, Any]:
        if not self._body:
            raise refusal("NoSuchKey")
        return {"ContentLength": self._size or len(self._body), "Body": io.BytesIO(self._body)}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects the text, the scripts and the addresses."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(content)
        assert self.tags == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        if tag not in VOID:
            self.tags.append(tag)
        for name, value in attributes:
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.add(value or "")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_escapes_payloads_loads_nothing_and_draws_every_state() -> None:
    # GIVEN
    failure: dict[str, Any] = {"error": "ImageInvalidError", "cause": "<script>alert(1)</script> is not an image"}
    execution = read_execution(ARN, [], states=FakeStates(failed_history(), **failure))

    # WHEN
    content = render(execution, "local", threshold=0.93, written=datetime.now(UTC), s3=FakeS3(make_png()))

    # THEN
    page = Page(content)
    assert "<script>alert(1)</script> is not an image" in page.text
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    assert {address[1:] for address in page.addresses if address.startswith("#step")} <= page.ids
    assert "url(http" not in content
    assert "(200,000 characters)" in page.text
    assert len(content) < 300_000

    # AND the drawing distinguishes the states in words and by their borders
    drawing = content[content.index("<svg") : content.index("</svg>")]
    assert re.findall(r">([✓✗↷] [a-z]+|not reached)[<,]", drawing) == [
        "✓ succeeded",
        "↷ caught",
        "not reached",
        "✓ succeeded",
        "✗ failed",
    ]
    assert len(set(re.findall(r"stroke-width: [\d.]+", drawing))) > 3
    assert "stroke-dasharray" in drawing
    assert "var(--ink)" in drawing


def test_an_image_is_shown_upright_and_small() -> None:
    # GIVEN a photograph that the camera rotated by 90 degrees
    image = Image.new("RGB", (2000, 1000))
    image.paste((255, 0, 0), (0, 0, 1000, 1000))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    with io.BytesIO() as stream:
        image.save(stream, format="JPEG", exif=exif)
        body = stream.getvalue()

    # WHEN
    uri, problem = read_picture(LOCATION, s3=FakeS3(body))

    # THEN the left half is at the top
    assert problem is None
    assert uri is not None
    shown = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert shown.size == (MAX_SIDE // 2, MAX_SIDE)
    top, bottom = shown.convert("RGB").getpixel((200, 100)), shown.convert("RGB").getpixel((200, 700))
    assert top[0] > 200 > 50 > bottom[0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("s3", "reason"),
    [
        pytest.param(FakeS3(b""), "S3 responded with NoSuchKey", id="deleted"),
        pytest.param(FakeS3(b"text"), "cannot be decoded", id="not an image"),
        pytest.param(FakeS3(b"x", size=10 * 2**30), "bytes (got 10,737,418,240)", id="too large to read"),
        pytest.param(
            FakeS3(b"x" * (MAX_BYTES + 1)), f"at most {MAX_BYTES:,} bytes (got {MAX_BYTES + 1:,})", id="above the limit"
        ),
    ],
)
def test_an_image_that_cannot_be_shown_has_a_reason(s3: FakeS3, reason: str) -> None:
    uri, problem = read_picture(LOCATION, s3=s3)
    assert uri is None
    assert reason in str(problem)
