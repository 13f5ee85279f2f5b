"""`make classify` classifies a local image file with the state machine."""

# ruff: noqa: N803  boto3's argument names
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import OperatorError
from scripts.classify import main
from tests.unit.evaluation.histories import ARN, FakeStates, History
from tests.unit.evaluation.runs import BELOW, make_png
from tests.unit.stacks import make_stack


class FakeAws(FakeStates):
    """AWS clients with an endpoint in service, a bucket, and an execution that ends immediately.

    Parameters
    ----------
    confidence : confidence of the predicted class
    description : fields of the execution's description
    """

    def __init__(self, confidence: float = 0.97, **description: Any) -> None:
        predictions = [
            {"class": "bicycle", "probability": confidence},
            {"class": "motorcycle", "probability": 1 - confidence},
        ]
        history = History()
        history.enter("Task", "Classify", after=0)
        history.leave("Task", "Classify", {"predictions": predictions, "model_version": "v3"})
        super().__init__(history, **description)
        self.uploads: list[str] = []
        self.input: dict[str, Any] = {}

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        return {"EndpointStatus": "InService", "EndpointConfigName": make_stack().endpoint_config_name}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.uploads.append(Key)

    def start_execution(self, *, stateMachineArn: str, input: str) -> dict[str, Any]:
        self.input = json.loads(input)
        return {"executionArn": ARN}

    def get_execution_history(self, **_: Any) -> dict[str, Any]:
        return {"events": self._history.events[::-1]}


def classify(aws: FakeAws, image: object) -> None:
    """Run the command for an image file."""
    options = SimpleNamespace(image=str(image))
    main(SimpleNamespace(name="local", options=options, stack=make_stack(), client=lambda service: aws))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.executions.POLL_SECONDS", (0.0, 0.0))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """The path of a valid image file."""
    path = tmp_path / "photo.png"
    path.write_bytes(make_png())
    return path


def test_result_contains_class_confidence_model_and_execution(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    aws = FakeAws(status="SUCCEEDED")

    # WHEN
    classify(aws, photo)

    # THEN
    assert aws.input == {"image_data": "", "s3_bucket": make_stack().bucket, "s3_key": aws.uploads[0]}
    assert aws.uploads[0].startswith("uploads/")
    output = capsys.readouterr().out
    assert "class       bicycle" in output
    assert "confidence  0.9700, which reaches the threshold 0.93" in output
    assert "model       v3" in output
    assert "make execution ENV=local ID=some-name" in output


@pytest.mark.parametrize(
    ("aws", "message", "shown"),
    [
        pytest.param(
            FakeAws(0.6, error=BELOW, cause="bicycle has confidence 0.6"),
            "the execution failed: bicycle has confidence 0.6",
            "0.6000, which is below the threshold 0.93",
            id="below the threshold",
        ),
        pytest.param(
            FakeAws(error="EndpointUnavailableError", cause="c" * 1000),
            r"failed with EndpointUnavailableError: c{300}… \(1,000 characters\)$",
            "ID=some-name",
            id="failed",
        ),
        pytest.param(FakeAws(status="ABORTED"), "failed with ABORTED: no cause given", "ID=some-name", id="aborted"),
    ],
)
def test_execution_that_does_not_succeed_is_an_error(
    photo: Path, capsys: pytest.CaptureFixture[str], aws: FakeAws, message: str, shown: str
) -> None:
    with pytest.raises(OperatorError, match=message):
        classify(aws, photo)
    assert shown in capsys.readouterr().out


def test_interruption_names_the_command_that_shows_the_execution(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a Ctrl-C while the command waits for the execution
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scripts.classify.wait_for_end", interrupt)

    # WHEN / THEN
    with pytest.raises(KeyboardInterrupt, match="make execution ENV=local ID=some-name"):
        classify(FakeAws(), photo)


@pytest.mark.parametrize("image", ["", "missing.jpg"])
def test_nothing_is_uploaded_if_the_image_file_does_not_exist(image: str) -> None:
    aws = FakeAws()
    with pytest.raises(OperatorError, match=r"IMAGE|missing\.jpg"):
        classify(aws, image)
    assert aws.uploads == []
