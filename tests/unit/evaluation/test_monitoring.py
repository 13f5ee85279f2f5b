"""Monitoring of captured data: counts, low-confidence images, confident mistakes, and figures."""

import base64
import hashlib
import io
import json
import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evaluation import figures
from evaluation.capture_location import CaptureLocation
from evaluation.capture_table import Captures
from evaluation.labelled_images import LabelledImages
from evaluation.monitoring import (
    Monitoring,
    bucket_length,
    draw_confidence,
    history_figures,
    labels_by_md5,
    monitor,
    summary,
    write_figures,
)
from tests.unit.evaluation.runs import capture_line, make_png

LOCATION = CaptureLocation("s3://b/data_capture", "v2", "cars", "cars-2", is_complete=True)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def monitored(*lines: bytes, known: Mapping[str, tuple[str, str]] | None = None, other_records: int = 0) -> Monitoring:
    """Return the monitoring results of a capture file with these lines, with a threshold of 0.93.

    Parameters
    ----------
    known : key and class of each test image, by the image's MD5 checksum
    other_records : number of captured requests to other models
    """
    captures = Captures()
    captures.add("00-00-000-a.jsonl", b"\n".join(lines), classes=2)
    classes = ("bicycle", "motorcycle")
    return monitor(captures, LOCATION, other_records=other_records, threshold=0.93, classes=classes, known=known or {})


def test_records_are_counted_per_class_and_below_the_threshold() -> None:
    # WHEN
    found = monitored(
        capture_line(make_png(1), [0.99, 0.01], time="2026-03-01T12:00:05Z"),
        capture_line(make_png(2), [0.4, 0.6], time="2026-03-01T12:00:01Z"),
        capture_line(make_png(3), [0.07, 0.93], time="2026-03-01T12:00:03Z"),
        b"malformed",
    )

    # THEN
    assert (found["records"], found["files"], found["malformed"]) == (3, 1, 1)
    assert found["below_threshold"] == 1
    assert found["share_below_threshold"] == pytest.approx(1 / 3)
    assert found["per_class"] == {"bicycle": 1, "motorcycle": 2}
    assert found["first"] == "2026-03-01T12:00:01+00:00"
    assert found["last"] == "2026-03-01T12:00:05+00:00"
    assert found["mean_confidence"] == pytest.approx((0.99 + 0.6 + 0.93) / 3)
    assert found["malformed_lines"] == ["00-00-000-a.jsonl, line 4: not JSON"]
    assert "  00-00-000-a.jsonl, line 4: not JSON" in list(summary(found))
    json.dumps(found)


def test_a_request_that_was_repeated_counts_once() -> None:
    # WHEN two records have the same inference ID
    found = monitored(
        capture_line(make_png(1), [0.8, 0.2], time="2026-03-01T12:00:01Z", inference_id="one"),
        capture_line(make_png(1), [0.8, 0.2], time="2026-03-01T12:00:04Z", inference_id="one"),
        capture_line(make_png(2), [0.99, 0.01], inference_id="two"),
    )

    # THEN
    assert (found["records"], found["duplicates"], found["below_threshold"]) == (2, 1, 1)
    assert found["low_confidence"][0]["id"] == "one"
    assert "earlier records of the same ID, not included: 1" in list(summary(found))


def test_records_are_counted_in_buckets_of_the_time_range() -> None:
    # WHEN
    times = ("12:00:10", "12:00:59", "12:03:00")
    found = monitored(*(capture_line(make_png(), [0.9, 0.1], time=f"2026-03-01T{time}Z") for time in times))

    # THEN
    assert found["bucket_seconds"] == 60
    assert [(bucket["start"], bucket["records"], bucket["below_threshold"]) for bucket in found["buckets"]] == [
        ("2026-03-01T12:00:00+00:00", 2, 2),
        ("2026-03-01T12:03:00+00:00", 1, 1),
    ]


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (timedelta(0), 60),
        (timedelta(hours=24), 900),
        (timedelta(days=7), 6 * 3600),
        (timedelta(days=36_500), 28 * 86_400),
    ],
    ids=str,
)
def test_the_length_of_a_bucket_depends_on_the_length_of_the_time_range(duration: timedelta, seconds: int) -> None:
    assert bucket_length(duration) == seconds


def test_many_records_are_all_counted_but_only_a_part_of_them_is_plotted(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr("evaluation.monitoring.MAX_POINTS", 3)
    lines = [capture_line(make_png(), [0.9, 0.1], time=f"2026-03-01T12:00:0{second}Z") for second in range(9)]

    # WHEN
    found = monitored(*lines)

    # THEN
    assert len(found["points"]) == 3
    assert found["below_threshold"] == 9
    assert "9 of 9 predictions are below the threshold; 3 are shown" in figures.as_svg(
        lambda theme: draw_confidence(theme, found), figures.LIGHT
    )


def test_the_history_contains_counts_and_mean_confidence() -> None:
    assert history_figures(monitored(capture_line(make_png(), [0.6, 0.4]))) == {
        "records": 1,
        "duplicates": 0,
        "malformed": 0,
        "threshold": 0.93,
        "below_threshold": 1,
        "share_below_threshold": 1.0,
        "mean_confidence": 0.6,
        "per_class": {"bicycle": 1, "motorcycle": 0},
    }


def test_the_model_and_the_number_of_requests_to_other_models_are_reported() -> None:
    # WHEN
    found = monitored(capture_line(make_png(), [0.99, 0.01]), other_records=7)

    # THEN
    assert (found["model"], found["records"], found["other_records"]) == ("v2", 1, 7)
    assert list(summary(found))[:2] == ["model v2: 1 record in 1 file", "requests to other models, not shown: 7"]


def test_low_confidence_images_are_listed_once_in_ascending_order_of_confidence() -> None:
    # WHEN the same image was classified in two requests
    found = monitored(
        capture_line(make_png(1), [0.8, 0.2], event_id="a"),
        capture_line(make_png(2), [0.6, 0.4], event_id="b"),
        capture_line(make_png(1), [0.8, 0.2], event_id="c"),
    )

    # THEN
    images = found["low_confidence"]
    assert [image["confidence"] for image in images] == [0.6, 0.8]
    assert found["low_confidence_count"] == 2
    with Image.open(io.BytesIO(base64.b64decode(images[0]["png"] or ""))) as image:
        assert image.size == (32, 32)


def test_confident_mistakes_are_found_with_the_labels_of_the_test_images() -> None:
    # GIVEN a misclassified test image, a correctly classified test image, and an image that is not a test image
    misclassified, correct, unknown = make_png(1), make_png(2), make_png(3)
    lines = [capture_line(image, [0.99, 0.01]) for image in (misclassified, correct, unknown)]
    known = {md5(misclassified): ("test/w.png", "motorcycle"), md5(correct): ("test/r.png", "bicycle")}

    # WHEN
    found = monitored(*lines, known=known)

    # THEN
    mistakes = [(image["s3_key"], image["label"]) for image in found["confident_mistakes"]]
    assert mistakes == [("test/w.png", "motorcycle")]
    assert found["confident_mistake_count"] == 1
    assert found["low_confidence"] == []


def test_captured_bytes_that_are_not_an_image_are_not_copied_to_the_result() -> None:
    # WHEN
    (image,) = monitored(capture_line(b"<script>alert(1)</script>", [0.6, 0.4]))["low_confidence"]

    # THEN
    assert image["png"] is None
    assert image["invalid"] == "the image cannot be decoded as PNG or JPEG: cannot identify image file"


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return the content of an image file of the format `kind`; `options` are those of Pillow's `Image.save`."""
    with io.BytesIO() as stream:
        image.save(stream, format=kind, **options)
        return stream.getvalue()


GREY = Image.linear_gradient("L").resize((32, 32))
COLOURS = Image.merge("RGB", [GREY, GREY.rotate(90), GREY.rotate(180)])
MANY_PIXELS = make_png(size=(2, 2)).replace(struct.pack(">II", 2, 2), struct.pack(">II", 5000, 5000))
CAPTURED = {
    "1 bit with a transparent colour": encode(GREY.convert("1"), transparency=255),
    "grey with a transparent colour": encode(GREY, transparency=7),
    "16 bits": encode(GREY.convert("I;16")),
    "16 bits with a transparent colour": encode(GREY.convert("I;16"), transparency=7),
    "RGB with a transparent colour": encode(COLOURS, transparency=(1, 2, 3)),
    "palette with transparency": encode(COLOURS.convert("P"), transparency=bytes(range(256))),
    "palette with a transparent colour": encode(COLOURS.convert("P"), transparency=3),
    "grey with alpha": encode(GREY.convert("LA")),
    "CMYK": encode(COLOURS.convert("CMYK"), "JPEG"),
    "invalid colour profile": encode(COLOURS, icc_profile=b"invalid"),
    "invalid EXIF data": encode(COLOURS, "JPEG", exif=b"Exif\0\0invalid"),
    "animation": encode(COLOURS, save_all=True, append_images=[COLOURS.rotate(90)]),
    "bytes after the end": encode(COLOURS, "JPEG") + b"MAKERNOTE",
    "one row": encode(COLOURS.resize((3000, 1))),
    "one pixel": encode(COLOURS.resize((1, 1))),
    "truncated PNG": encode(COLOURS)[:-30],
    "truncated JPEG": encode(COLOURS, "JPEG")[:-200],
    "JPEG without an end marker": encode(COLOURS, "JPEG")[:-2],
    "too many pixels": MANY_PIXELS,
    "other format": encode(COLOURS, "GIF"),
    "empty": b"",
}


def test_monitoring_continues_after_an_invalid_captured_image() -> None:
    # WHEN
    found = monitored(*(capture_line(body, [0.6, 0.4], event_id=name) for name, body in CAPTURED.items()))

    # THEN each image is either shown or listed with a reason
    shown = {image["event_id"]: image for image in found["low_confidence"]}
    assert set(shown) == set(CAPTURED)
    assert all(bool(image["png"]) != bool(image["invalid"]) for image in shown.values())
    assert {name for name, image in shown.items() if image["invalid"]} == {
        "truncated PNG",
        "truncated JPEG",
        "JPEG without an end marker",
        "too many pixels",
        "other format",
        "empty",
    }


def test_metadata_of_captured_images_is_not_copied_to_the_result() -> None:
    # GIVEN
    body = encode(COLOURS, icc_profile=b"some profile", exif=b"Exif\0\0some data", transparency=(1, 2, 3))

    # WHEN
    (image,) = monitored(capture_line(body, [0.6, 0.4]))["low_confidence"]

    # THEN
    with Image.open(io.BytesIO(base64.b64decode(image["png"] or ""))) as shown:
        assert shown.info == {}


def test_records_of_the_same_second_are_plotted_at_equal_distances_within_this_second() -> None:
    # WHEN
    points = monitored(*(capture_line(make_png(), [p, 1 - p]) for p in (0.9, 0.8, 0.7, 0.6)))["points"]

    # THEN
    assert [datetime.fromisoformat(point["time"]).microsecond for point in points] == [0, 250_000, 500_000, 750_000]
    assert [point["confidence"] for point in points] == [0.9, 0.8, 0.7, 0.6]


def test_labels_are_found_by_the_md5_checksum_of_the_image() -> None:
    images = LabelledImages("CIFAR-100", False, ("bicycle", "motorcycle"), {"test/a.png": 1}, {"test/a.png": "0c"}, "")
    assert labels_by_md5(images) == {"0c": ("test/a.png", "motorcycle")}


def test_both_figures_are_written_even_without_low_confidence_images(tmp_path: Path) -> None:
    # WHEN
    write_figures(monitored(capture_line(make_png(), [0.99, 0.01])), tmp_path)

    # THEN
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confidence.png", "low_confidence.png"]
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert image.width > 500
