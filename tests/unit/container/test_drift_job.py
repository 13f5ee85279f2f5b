"""The drift job: the captured records that it reads, the result that it writes, and its metrics and messages.

The window is the period whose captured images are compared with the model's baseline.
"""

# ruff: noqa: N803  (boto3 names its arguments in CamelCase)

import base64
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.container.jobs import encoded
from tests.unit.staging.fakes import FakeS3
from training.container.classifier import drift_job, window_sample
from training.container.classifier.baseline import describe, write_baseline
from training.container.classifier.captured_records import object_name
from training.container.classifier.drift_job import Settings, run

SCHEDULED = datetime(2026, 3, 8, 12, 10, tzinfo=UTC)  # time of the job, ten minutes after the end of the window
INSIDE = SCHEDULED - timedelta(hours=2)  # a time within the window
PREFIX = "data_capture/v3/scones-test-vehicles/AllTraffic"


class FakeSession:
    """A model whose embedding is an image's mean colour."""

    def get_inputs(self) -> list[Any]:
        return [type("Input", (), {"shape": ["n", 32, 32, 3]})]

    def run(self, names: list[str], feeds: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        assert names == ["embedding"]
        return [feeds["images"].mean((1, 2)) / 255]


@dataclass
class Fakes:
    """Fakes of S3, CloudWatch and SNS, and the folder of the unpacked model."""

    model: Path
    s3: FakeS3 = field(default_factory=FakeS3)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        assert Namespace == "scones-test"
        self.metrics += MetricData

    def publish(self, **message: Any) -> None:
        self.messages.append(message)

    def capture(self, lines: list[bytes], time: datetime = INSIDE) -> None:
        """Store a capture file that SageMaker would have started at `time`."""
        self.s3.put_object(Bucket="data", Key=f"{PREFIX}/{time:%Y/%m/%d/%H/%M-%S}-000-x.jsonl", Body=b"\n".join(lines))

    def start(self) -> None:
        """Run the job."""
        settings = Settings(
            environment="test",
            region="us-east-1",
            bucket="data",
            captures_prefix=PREFIX,
            history_prefix="history",
            review_prefix="review",
            model="v3",
            namespace="scones-test",
            topic_arn="arn:topic",
            window_end=SCHEDULED,
            window_hours=24,
            capture_delay_minutes=10,
        )
        run(self.model, settings, s3=self.s3, cloudwatch=self, sns=self)

    def run(self) -> dict[str, Any]:
        """Run the job for the first time, and return the contents of its only result."""
        self.start()
        (key,) = self.s3.list_keys("history/")
        assert re.fullmatch(r"history/drift/\d{4}/\d\d/\d\d/\d{8}T\d{12}-[0-9a-f]{8}\.json", key)
        result = json.loads(self.s3.objects[key]["body"])
        assert result["kind"] == "drift"
        assert (result["environment"], result["model"]) == ("test", "v3")
        assert result["window"] == {"start": "2026-03-07T12:00:00+00:00", "end": "2026-03-08T12:00:00+00:00"}
        figures: dict[str, Any] = result["figures"]
        return figures

    def drift_by_group(self) -> dict[str, float]:
        """Return the published values of the metric `Drift`, 1 or 0, by group of properties."""
        return {each["Dimensions"][0]["Value"]: each["Value"] for each in self.metrics if each["MetricName"] == "Drift"}


def draw_images(count: int, seed: int, brightness: float = 1.0) -> NDArray[np.uint8]:
    """Return random RGB images of 32 x 32 pixels, whose pixel values are multiplied by `brightness`."""
    generator = np.random.default_rng(seed)
    means = generator.uniform(80, 170, (count, 1, 1, 3))
    pixels = np.clip((means + generator.normal(0, 20, (count, 32, 32, 3))) * brightness, 0, 255)
    return pixels.astype(np.uint8)


def draw_probabilities(count: int, seed: int) -> NDArray[np.float64]:
    """Return class probabilities, count x 2, that predict the two classes in turn with confidences from 0.7 to 1."""
    high = np.random.default_rng(seed).uniform(0.7, 1, count)
    first = np.where(np.arange(count) % 2 == 0, high, 1 - high)
    return np.column_stack([first, 1 - first])


def capture_line(image: bytes, predicted: Any, number: int, time: datetime = INSIDE) -> bytes:
    """Return the line that SageMaker captures for a request with one image."""
    return json.dumps(
        {
            "captureData": {
                "endpointInput": {
                    "observedContentType": "image/png",
                    "mode": "INPUT",
                    "data": base64.b64encode(image).decode(),
                    "encoding": "BASE64",
                },
                "endpointOutput": {
                    "observedContentType": "application/json",
                    "mode": "OUTPUT",
                    "data": json.dumps(predicted),
                    "encoding": "JSON",
                },
            },
            "eventMetadata": {"eventId": f"event-{number}", "inferenceTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")},
            "eventVersion": "0",
        }
    ).encode()


def capture_lines(images: NDArray[np.uint8], seed: int = 5) -> list[bytes]:
    """Return a captured line for each image, with the event IDs `event-0`, `event-1`, ..."""
    predicted = draw_probabilities(len(images), seed).tolist()
    return [
        capture_line(encoded(Image.fromarray(image)), each, number)
        for number, (image, each) in enumerate(zip(images, predicted, strict=True))
    ]


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """A model with a baseline of 80 images, and AWS services without any captures."""
    monkeypatch.setattr(drift_job, "open_session", lambda _: FakeSession())
    (tmp_path / "model.json").write_text(json.dumps({"classes": ["bicycle", "motorcycle"]}))
    images = draw_images(80, 1)
    write_baseline(describe(draw_probabilities(80, 2), images, images.mean((1, 2)) / 255), tmp_path)
    return Fakes(tmp_path)


def test_unchanged_window_publishes_metrics_and_no_message(fakes: Fakes) -> None:
    # GIVEN a window with images from the distribution of the baseline
    fakes.capture(capture_lines(draw_images(120, 3)))

    # WHEN
    figures = fakes.run()

    # THEN
    assert figures["outcome"] == "no_drift"
    assert figures["images"] == figures["records"] == 120
    assert fakes.drift_by_group() == {"confidence": 0, "classes": 0, "image_statistics": 0, "embedding": 0}
    assert {"MetricName": "DriftWindowImages", "Value": 120, "Unit": "Count"} in fakes.metrics
    assert fakes.messages == []
    assert fakes.s3.list_keys("review/") == []


def test_dark_window_is_reported_with_its_most_unusual_images(fakes: Fakes) -> None:
    # GIVEN
    fakes.capture(capture_lines(draw_images(120, 3, brightness=0.3)))

    # WHEN
    figures = fakes.run()

    # THEN the metrics and the result contain the changes
    assert figures["outcome"] == "drift"
    assert fakes.drift_by_group() == {"confidence": 0, "classes": 0, "image_statistics": 1, "embedding": 1}
    drifted = {change["name"] for change in figures["changes"] if change["has_drifted"]}
    assert {"brightness", "embedding"} <= drifted
    assert sum(figures["histograms"]["brightness"]["window"]) == 120
    # AND the most unusual images have review entries
    entries = [
        json.loads(fakes.s3.objects[key]["body"]) for key in fakes.s3.list_keys("review/") if key[-5:] == ".json"
    ]
    assert {entry["id"] for entry in entries} == {example["id"] for example in figures["examples"]}
    assert len(entries) == drift_job.MAX_EXAMPLES
    for entry in entries:
        assert entry["reasons"] == ["drift"]
        assert entry["inclusion_probability"] is None
        assert (entry["model"], entry["time"]) == ("v3", INSIDE.isoformat())
        assert fakes.s3.objects[f"review/selected/{entry['id']}"]["body"][:4] == b"\x89PNG"
    # AND the message names the groups and an example
    (message,) = fakes.messages
    assert message["Subject"] == "Drift in scones-test: image statistics, embedding"
    assert "brightness (median" in message["Message"]
    assert f"s3://data/review/selected/{figures['examples'][0]['id']}" in message["Message"]


def test_examples_are_only_images_that_differ_from_the_baseline(fakes: Fakes) -> None:
    # GIVEN 60 images like those of the baseline, then 120 dark images
    images = np.concatenate([draw_images(60, 3), draw_images(120, 4, brightness=0.3)])
    fakes.capture(capture_lines(images))

    # WHEN
    figures = fakes.run()

    # THEN
    assert figures["outcome"] == "drift"
    assert all(int(example["id"].removeprefix("event-")) >= 60 for example in figures["examples"])


def test_inference_id_with_special_characters_gives_a_valid_object_name(fakes: Fakes) -> None:
    # GIVEN inference IDs that cannot be used as object names
    lines = [json.loads(line) for line in capture_lines(draw_images(120, 3, brightness=0.3))]
    for number, line in enumerate(lines):
        line["eventMetadata"]["inferenceId"] = f"../{number}.json"
    fakes.capture([json.dumps(line).encode() for line in lines])

    # WHEN
    figures = fakes.run()

    # THEN
    names = [object_name(example["id"]) for example in figures["examples"]]
    assert sorted(fakes.s3.list_keys("review/")) == sorted(
        f"review/selected/{name}{suffix}" for name in names for suffix in ("", ".json")
    )
    assert f"s3://data/review/selected/{names[0]}" in fakes.messages[0]["Message"]


def test_only_dark_images_are_examples_if_many_images_have_the_same_id(fakes: Fakes) -> None:
    # GIVEN two cameras, each of which sends all its images with one ID: 60 normal images, then 120 dark ones
    images = np.concatenate([draw_images(60, 3), draw_images(120, 4, brightness=0.3)])
    lines = [json.loads(line) for line in capture_lines(images)]
    for number, line in enumerate(lines):
        line["eventMetadata"]["inferenceId"] = f"camera-{number % 2}"
    fakes.capture([json.dumps(line).encode() for line in lines])

    # WHEN
    figures = fakes.run()

    # THEN
    assert sorted(example["id"] for example in figures["examples"]) == ["camera-0", "camera-1"]
    for name in ("camera-0", "camera-1"):
        with Image.open(io.BytesIO(fakes.s3.objects[f"review/selected/{name}"]["body"])) as image:
            assert np.asarray(image).mean() < 60


def test_concurrent_jobs_write_two_results_but_one_review_entry_per_image(fakes: Fakes) -> None:
    # GIVEN
    fakes.capture(capture_lines(draw_images(120, 3, brightness=0.3)))

    # WHEN
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: fakes.start(), range(2)))

    # THEN
    first, second = (json.loads(fakes.s3.objects[key]["body"]) for key in fakes.s3.list_keys("history/"))
    assert first["figures"] == second["figures"]
    assert len(fakes.s3.list_keys("review/")) == 2 * drift_job.MAX_EXAMPLES
    assert len(fakes.messages) == 2


def test_image_that_is_already_selected_for_review_keeps_its_entry(fakes: Fakes) -> None:
    # GIVEN images that have drifted, and for each an entry that was selected as `audit`
    fakes.capture(capture_lines(draw_images(120, 3, brightness=0.3)))
    for number in range(120):
        fakes.s3.put_object(Bucket="data", Key=f"review/selected/event-{number}.json", Body=b"audit")

    # WHEN
    fakes.run()

    # THEN
    keys = [key for key in fakes.s3.list_keys("review/") if key.endswith(".json")]
    assert {fakes.s3.objects[key]["body"] for key in keys} == {b"audit"}


@pytest.mark.parametrize(
    ("lines", "outcome", "reason"),
    [
        ([], "no_captures", "no captured records in the window"),
        ([b"{}", b"text"], "no_captures", "no captured records in the window, only 2 malformed lines"),
        (
            capture_lines(draw_images(20, 3)),
            "too_few_images",
            "20 different images in the window and 80 in the baseline: the test needs",
        ),
    ],
)
def test_window_with_too_few_images_gives_no_decision(
    fakes: Fakes, lines: list[bytes], outcome: str, reason: str
) -> None:
    # GIVEN
    if lines:
        fakes.capture(lines)

    # WHEN
    figures = fakes.run()

    # THEN
    assert figures["outcome"] == outcome
    assert figures["reason"].startswith(reason)
    assert fakes.drift_by_group() == {}
    assert [each["MetricName"] for each in fakes.metrics] == ["DriftWindowImages"]
    assert fakes.messages == []


def test_only_records_of_the_window_are_compared(fakes: Fakes) -> None:
    # GIVEN records at the start of the window, just before its end, just before its start, and at its end
    image = encoded(Image.fromarray(draw_images(1, 3)[0]))
    start, end = INSIDE.replace(day=7, hour=12, minute=0), INSIDE.replace(hour=12, minute=0)
    for number, time in enumerate((start, end - timedelta(seconds=1), start - timedelta(seconds=1), end)):
        fakes.capture([capture_line(image, [0.9, 0.1], number, time)], time)
    # AND a record of the window that was written to the folder of the following hour
    late = end - timedelta(seconds=2)
    fakes.capture([capture_line(image, [0.9, 0.1], 9, late)], end + timedelta(minutes=1))
    # AND a file with a record before the window and one inside; its folder is the hour of the first record
    before = start - timedelta(seconds=30)
    fakes.capture(
        [capture_line(image, [0.9, 0.1], 10, each) for each in (before, start + timedelta(seconds=30))], before
    )

    # WHEN / THEN
    assert fakes.run()["records"] == 4


def test_malformed_lines_in_the_adjacent_hours_are_not_counted(fakes: Fakes) -> None:
    # GIVEN a malformed line just before the window, two inside, and one just after
    start, end = INSIDE.replace(day=7, hour=12, minute=0), INSIDE.replace(hour=12, minute=0)
    minute = timedelta(minutes=1)
    for time in (start - minute, start + minute, end - minute, end + minute):
        fakes.capture([b"{"], time)

    # WHEN / THEN
    assert fakes.run()["malformed"] == 2


def test_responses_are_compared_even_if_no_image_can_be_read(fakes: Fakes) -> None:
    # GIVEN requests with invalid images
    predicted = draw_probabilities(120, 5).tolist()
    fakes.capture([capture_line(b"invalid image %d" % number, each, number) for number, each in enumerate(predicted)])

    # WHEN
    figures = fakes.run()

    # THEN
    assert figures["outcome"] == "no_drift"
    assert (figures["images"], figures["unreadable"]) == (120, 120)
    assert "only 0 images can be read" in figures["reason"]
    assert fakes.drift_by_group() == {"confidence": 0, "classes": 0}


@pytest.mark.parametrize(("readable", "groups"), [(99, 2), (100, 4)])
def test_image_statistics_are_tested_only_if_100_images_can_be_read(fakes: Fakes, readable: int, groups: int) -> None:
    # GIVEN a window of 120 dark images, of which all after the first `readable` are invalid
    lines = capture_lines(draw_images(120, 3, brightness=0.2))
    predicted = draw_probabilities(120, 5).tolist()
    invalid = [capture_line(b"invalid image %d" % number, predicted[number], number) for number in range(readable, 120)]
    fakes.capture([*lines[:readable], *invalid])

    # WHEN
    figures = fakes.run()

    # THEN
    assert len(fakes.drift_by_group()) == groups
    assert figures["outcome"] == ("drift" if groups == 4 else "no_drift")
    assert (f"only {readable} images can be read" in figures["reason"]) == (groups == 2)


@pytest.mark.parametrize("readable", [1, 5, 6])
def test_drift_of_the_confidence_has_examples_only_if_6_images_can_be_read(fakes: Fakes, readable: int) -> None:
    # GIVEN lower confidences than in the baseline, and few images that can be read
    predicted = [[0.55, 0.45]] * 120
    images = [encoded(Image.fromarray(each)) for each in draw_images(readable, 3)]
    images += [b"invalid image %d" % number for number in range(readable, 120)]
    fakes.capture(
        [capture_line(image, each, number) for number, (image, each) in enumerate(zip(images, predicted, strict=True))]
    )

    # WHEN
    figures = fakes.run()

    # THEN
    assert figures["outcome"] == "drift"
    assert len(figures["examples"]) == (6 if readable == 6 else 0)


def test_malformed_lines_are_counted_and_listed_with_their_reasons(fakes: Fakes) -> None:
    # GIVEN 120 valid lines, a line that is not JSON, a line with one probability for two classes, and an empty line
    fakes.capture([*capture_lines(draw_images(120, 3)), b"{", capture_line(b"", [0.5], 1), b""])

    # WHEN
    figures = fakes.run()

    # THEN
    assert (figures["records"], figures["malformed"]) == (120, 2)
    assert figures["malformed_lines"][0].endswith("x.jsonl, line 121: not JSON")


def test_transparent_16_bit_and_palette_images_can_be_read(fakes: Fakes) -> None:
    # GIVEN
    images = [
        Image.fromarray(np.full((32, 32, 4), 90, np.uint8)),
        Image.fromarray(np.full((32, 32), 40_000, np.uint16)),
        Image.fromarray(np.full((32, 32), 90, np.uint8)).convert("P"),
    ]
    fakes.capture([capture_line(encoded(image), [0.9, 0.1], number) for number, image in enumerate(images)])

    # WHEN
    figures = fakes.run()

    # THEN
    assert (figures["images"], figures["unreadable"]) == (3, 0)


def test_image_that_was_sent_several_times_counts_once(fakes: Fakes) -> None:
    # GIVEN four requests for each of 30 images
    fakes.capture(capture_lines(np.tile(draw_images(30, 3), (4, 1, 1, 1))))

    # WHEN
    figures = fakes.run()

    # THEN
    assert (figures["records"], figures["images"]) == (120, 30)
    assert figures["reason"].startswith("30 different images in the window")


def test_different_images_with_the_same_inference_id_are_all_counted(fakes: Fakes) -> None:
    # GIVEN a caller that sends every image with the same ID
    lines = [
        line.replace(b'"eventId"', b'"inferenceId": "mine", "eventId"') for line in capture_lines(draw_images(120, 3))
    ]
    fakes.capture(lines)

    # WHEN / THEN
    assert fakes.run()["images"] == 120


def test_records_without_images_are_distinguished_by_their_id(fakes: Fakes) -> None:
    # GIVEN 120 records that contain only responses, one of which was captured twice
    lines = [json.loads(line) for line in capture_lines(draw_images(120, 3))]
    for line in lines:
        del line["captureData"]["endpointInput"]
    fakes.capture([json.dumps(line).encode() for line in (*lines, lines[0])])

    # WHEN
    figures = fakes.run()

    # THEN
    assert (figures["records"], figures["images"], figures["unreadable"]) == (121, 120, 120)


def test_sample_of_a_large_window_ignores_the_order_of_records(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a window of 150 images, of which at most 110 are sampled
    monkeypatch.setattr(window_sample, "MAX_IMAGES", 110)
    lines = capture_lines(draw_images(150, 3))
    fakes.capture(lines)

    # WHEN
    first = fakes.run()
    reversed_order = Fakes(fakes.model)
    reversed_order.capture(lines[::-1])
    second = reversed_order.run()

    # THEN
    assert first["images"] == 110
    assert first["changes"] == second["changes"]


def test_only_unreadable_images_of_the_sample_are_counted(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a window of 150 images, none of which can be read, and a sample of at most 110
    monkeypatch.setattr(window_sample, "MAX_IMAGES", 110)
    predicted = draw_probabilities(150, 5).tolist()
    fakes.capture([capture_line(b"invalid image %d" % number, each, number) for number, each in enumerate(predicted)])

    # WHEN
    figures = fakes.run()

    # THEN
    assert (figures["images"], figures["unreadable"]) == (110, 110)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "the model has no baseline.json: train it again"), (b"{}", "baseline.json must be an object")],
)
def test_model_without_a_valid_baseline_gives_no_decision(fakes: Fakes, content: bytes | None, reason: str) -> None:
    # GIVEN
    (fakes.model / "baseline.json").unlink()
    if content:
        (fakes.model / "baseline.json").write_bytes(content)
    fakes.capture(capture_lines(draw_images(120, 3)))

    # WHEN
    figures = fakes.run()

    # THEN
    assert figures["outcome"] == "no_baseline"
    assert figures["reason"].startswith(reason)
    assert fakes.drift_by_group() == {}


def test_settings_are_read_from_environment_variables() -> None:
    # GIVEN
    names = ("environment", "region", "bucket", "captures_prefix", "history_prefix", "review_prefix", "model")
    variables = {name.upper(): name for name in (*names, "namespace", "topic_arn")}

    # WHEN
    settings = Settings.read(
        {**variables, "WINDOW_END": "2026-03-08T12:10:00Z", "WINDOW_HOURS": "24", "CAPTURE_DELAY_MINUTES": "10"}
    )

    # THEN
    assert settings.captures_prefix == "captures_prefix"
    assert (settings.start, settings.end) == (
        INSIDE.replace(day=7, hour=12, minute=0),
        INSIDE.replace(hour=12, minute=0),
    )
