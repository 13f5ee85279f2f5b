"""The HTML page about an execution."""

# ruff: noqa: N803  boto3's argument names
import base64
import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from evaluation.execution_details import MAX_STEPS, ImageLocation, read_execution
from evaluation.execution_page import MAX_SIDE, read_picture, render
from tests.unit.evaluation.histories import ARN, FakeStates, History, failed_history, refusal
from tests.unit.evaluation.runs import make_png
from training.container.classifier.images import MAX_BYTES

LOCATION = ImageLocation("some-bucket", "test/a.png")
ORIENTATION = 0x0112  # EXIF tag
VOID = {"meta", "img", "br"}  # elements without an end tag


class FakeS3:
    """An S3 client with one object.

    Parameters
    ----------
    body : content of the object; if it is empty, the object does not exist
    size : size that S3 reports, in bytes; by default that of the content
    """

    def __init__(self, body: bytes, size: int | None = None) -> None:
        self._body, self._size = body, size

    def get_object(self, *, Bucket: str, Key: str, **version: str) -> dict[str, Any]:
        if not self._body:
            raise refusal("NoSuchKey")
        return {"ContentLength": self._size or len(self._body), "Body": io.BytesIO(self._body)}


class Page(HTMLParser):
    """Parses a page, checks that elements are closed in order and that it has no scripts, and collects text and URLs.

    Attributes
    ----------
    text : text of all elements
    tags : names of the elements that are not closed yet
    addresses : URLs of images and links
    ids : IDs of elements
    """

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


def test_the_page_escapes_payloads_loads_no_other_files_and_draws_every_state() -> None:
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

    # AND the drawing shows the status of the states in words and by their borders
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


def test_states_of_omitted_steps_have_no_link_in_the_drawing() -> None:
    # GIVEN an execution that visits the state Once only in one of its omitted steps
    history = History()
    for number in range(MAX_STEPS + 50):
        name = "Once" if number == MAX_STEPS // 2 + 10 else "Often"
        history.enter("Pass", name)
        history.leave("Pass", name)
    definition = {
        "StartAt": "Often",
        "States": {"Often": {"Type": "Pass", "Next": "Once"}, "Once": {"Type": "Pass", "Next": "Often"}},
    }
    execution = read_execution(ARN, [], states=FakeStates(history, definition))

    # WHEN
    page = Page(render(execution, "local", threshold=0.93, written=datetime.now(UTC), s3=FakeS3(make_png())))

    # THEN every link leads to a step on the page
    assert {address[1:] for address in page.addresses if address.startswith("#step")} == {"step-1"} <= page.ids
    assert "Once" in page.text


def test_an_image_is_rotated_by_its_exif_orientation_and_scaled_down() -> None:
    # GIVEN a photograph whose EXIF data says that it is rotated by 90 degrees, and whose left half is red
    image = Image.new("RGB", (2000, 1000))
    image.paste((255, 0, 0), (0, 0, 1000, 1000))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    with io.BytesIO() as stream:
        image.save(stream, format="JPEG", exif=exif)
        body = stream.getvalue()

    # WHEN
    uri, problem = read_picture(LOCATION, s3=FakeS3(body))

    # THEN the red half is at the top
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
            FakeS3(b"x" * (MAX_BYTES + 1)),
            f"at most {MAX_BYTES:,} bytes (got {MAX_BYTES + 1:,})",
            id="above the size limit",
        ),
    ],
)
def test_the_page_says_why_an_image_cannot_be_shown(s3: FakeS3, reason: str) -> None:
    uri, problem = read_picture(LOCATION, s3=s3)
    assert uri is None
    assert reason in str(problem)
