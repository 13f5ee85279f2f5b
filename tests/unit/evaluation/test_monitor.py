# ruff: noqa: N803  the names are boto3's
import base64
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from evaluation.captures import Captures
from scripts.monitor import captures_everything, draw, known_images, monitor, summary, wait_for
from tests.unit.evaluation.runs import capture_line, make_execution, make_png, make_run
from tests.unit.stacks import make_stack
from tests.unit.staging.fakes import FakeS3

FINISHED = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def make_captures(*lines: bytes) -> Captures:
    captures = Captures()
    captures.add("00-00-000-a.jsonl", b"\n".join(lines), classes=2)
    return captures


class FakeClock:
    """Time that only pauses move."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FakeSageMaker:
    """One endpoint configuration, or none."""

    class exceptions:  # noqa: N801
        ClientError = ClientError

    def __init__(self, capture: dict[str, Any] | None) -> None:
        self._capture = capture

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:
        if self._capture is None:
            error = {"Code": "ValidationException", "Message": "Could not find endpoint configuration"}
            raise ClientError({"Error": error}, "DescribeEndpointConfig")
        return {"DataCaptureConfig": self._capture}


def test_records_are_counted_against_the_threshold() -> None:
    # GIVEN
    captures = make_captures(
        capture_line(make_png(1), [0.99, 0.01], time="2026-03-01T12:00:05Z"),
        capture_line(make_png(2), [0.4, 0.6], time="2026-03-01T12:00:01Z"),
        capture_line(make_png(3), [0.07, 0.93], time="2026-03-01T12:00:03Z"),
        b"broken",
    )

    # WHEN
    found = monitor(captures, make_stack(), {})

    # THEN
    assert (found["records"], found["files"], found["malformed"]) == (3, 1, 1)
    assert found["below_threshold"] == 1
    assert found["share_below_threshold"] == pytest.approx(1 / 3)
    assert found["per_class"] == {"bicycle": 1, "motorcycle": 2}
    assert found["first"] == "2026-03-01T12:00:01+00:00"
    assert found["last"] == "2026-03-01T12:00:05+00:00"
    assert found["mean_confidence"] == pytest.approx((0.99 + 0.6 + 0.93) / 3)
    assert found["malformed_lines"] == ["00-00-000-a.jsonl, line 4: no JSON"]
    assert "  00-00-000-a.jsonl, line 4: no JSON" in list(summary(found, captures))
    json.dumps(found)


def test_doubtful_images_are_shown_once_the_least_sure_first() -> None:
    # GIVEN an image that was sent twice
    captures = make_captures(
        capture_line(make_png(1), [0.8, 0.2], event_id="a"),
        capture_line(make_png(2), [0.6, 0.4], event_id="b"),
        capture_line(make_png(1), [0.8, 0.2], event_id="c"),
    )

    # WHEN
    doubtful = monitor(captures, make_stack(), {})["doubtful"]

    # THEN
    assert [image["confidence"] for image in doubtful] == [0.6, 0.8]
    with Image.open(io.BytesIO(base64.b64decode(doubtful[0]["png"]))) as image:
        assert image.size == (32, 32)


def test_sure_and_wrong_images_are_found_by_the_staged_labels() -> None:
    # GIVEN
    wrong, right, strange = make_png(1), make_png(2), make_png(3)
    captures = make_captures(*(capture_line(image, [0.99, 0.01]) for image in (wrong, right, strange)))
    known = {md5(wrong): ("test/w.png", "motorcycle"), md5(right): ("test/r.png", "bicycle")}

    # WHEN
    found = monitor(captures, make_stack(), known)

    # THEN
    assert [(image["s3_key"], image["label"]) for image in found["sure_and_wrong"]] == [("test/w.png", "motorcycle")]
    assert found["doubtful"] == []


def test_bytes_that_are_no_image_are_never_passed_on() -> None:
    # GIVEN
    captures = make_captures(capture_line(b"<script>alert(1)</script>", [0.6, 0.4]))

    # WHEN
    (image,) = monitor(captures, make_stack(), {})["doubtful"]

    # THEN
    assert image["png"] is None
    assert image["refused"] == "no PNG or JPEG"


def test_records_of_one_second_are_spread_over_it_in_their_order() -> None:
    # GIVEN
    captures = make_captures(*(capture_line(make_png(), [p, 1 - p]) for p in (0.9, 0.8, 0.7, 0.6)))

    # WHEN
    points = monitor(captures, make_stack(), {})["points"]

    # THEN
    assert [datetime.fromisoformat(point["time"]).microsecond for point in points] == [0, 250_000, 500_000, 750_000]
    assert [point["confidence"] for point in points] == [0.9, 0.8, 0.7, 0.6]


def test_records_that_come_late_are_waited_for() -> None:
    # GIVEN a run of two, and a reader that finds one more record each time; one is older than the run
    run = make_run([make_execution("a", [0.9, 0.1]), make_execution("b", [0.9, 0.1]), make_execution("c", None)])
    captures = make_captures(capture_line(make_png(), [0.9, 0.1], time="2026-03-01T11:59:59Z"))
    clock = FakeClock(FINISHED)
    reads: list[int] = []

    def read() -> None:
        reads.append(1)
        captures.add(f"{len(reads)}.jsonl", capture_line(make_png(), [0.9, 0.1]), classes=2)

    # WHEN
    wait_for(run, captures, read, sleep=clock.sleep, now=lambda: clock.now)

    # THEN
    assert len(reads) == 2


def test_what_never_comes_is_said_and_not_waited_for_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    run = make_run([make_execution("a", [0.9, 0.1])])
    clock = FakeClock(FINISHED)

    # WHEN
    wait_for(run, make_captures(), lambda: None, sleep=clock.sleep, now=lambda: clock.now)

    # THEN
    assert timedelta(minutes=5) <= clock.now - FINISHED < timedelta(minutes=6)
    assert "of the last run's 1 answers, 0 are captured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("capture", "expected"),
    [
        pytest.param({"EnableCapture": True, "InitialSamplingPercentage": 100}, True, id="all"),
        pytest.param({"EnableCapture": True, "InitialSamplingPercentage": 20}, False, id="a sample"),
        pytest.param({"EnableCapture": False, "InitialSamplingPercentage": 100}, False, id="switched off"),
        pytest.param(None, False, id="configuration gone"),
    ],
)
def test_only_where_all_is_captured_all_can_be_waited_for(capture: dict[str, Any] | None, expected: bool) -> None:
    assert captures_everything(FakeSageMaker(capture), "config") is expected


def test_live_traffic_is_monitored_without_staged_images() -> None:
    assert known_images(FakeS3(), make_stack()) == {}


def test_both_pictures_are_drawn_also_where_nothing_is_in_doubt(tmp_path: Path) -> None:
    # GIVEN
    found = monitor(make_captures(capture_line(make_png(), [0.99, 0.01])), make_stack(), {})

    # WHEN
    draw(found, tmp_path)

    # THEN
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confidence.png", "doubtful.png"]
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert image.width > 500
