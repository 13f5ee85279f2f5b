"""`make monitor` without results of `make run`, without staged images, without data capture, and for other models."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import OperatorError
from common.files import NoResultError, read_result, write_json
from evaluation.capture_location import CaptureLocation
from registry.trained_classes import ClassesDifferError
from scripts.command.captures import check_model
from scripts.monitor import known_images, last_run, main
from staging.manifest import digest_classes
from tests.unit.evaluation.runs import make_run
from tests.unit.registry.versions import make_version
from tests.unit.stacks import make_stack
from tests.unit.staging.fakes import FakeS3


def environment(directory: Path, **stack: Any) -> Any:
    """Return a command's environment with an empty bucket; `stack` replaces fields of the stack."""
    return SimpleNamespace(
        name="local", stack=make_stack(**stack), directory=directory, client=lambda service: FakeS3()
    )


def test_no_test_images_are_known_without_staged_images(tmp_path: Path) -> None:
    assert known_images(environment(tmp_path)) == {}


def test_last_run_is_none_until_there_are_results_of_make_run(tmp_path: Path) -> None:
    assert last_run(environment(tmp_path)) is None
    write_json(tmp_path / "run.json", make_run([]))
    assert last_run(environment(tmp_path)) == make_run([])


def test_an_endpoint_without_data_capture_is_not_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN an earlier result
    write_json(tmp_path / "monitoring.json", {"records": 5})
    (tmp_path / "confidence.png").write_bytes(b"earlier")

    # WHEN
    main(environment(tmp_path, data_capture_enabled=False))

    # THEN
    message = capsys.readouterr().out.strip()
    assert "captures no data" in message
    assert [path.name for path in tmp_path.iterdir()] == ["monitoring.json"]
    with pytest.raises(NoResultError, match=re.escape(message)):
        read_result(tmp_path, "monitor", {"records"})


@pytest.mark.parametrize(("config", "advice"), [("config-1", "run `make deploy ENV=local`"), (None, "another MODEL")])
def test_model_that_was_trained_on_other_classes_is_an_error(tmp_path: Path, config: str | None, advice: str) -> None:
    # GIVEN a model that was trained on classes that the stack does not have
    trained = ("bus", "tractor")
    properties = {"classes": " ".join(trained), "classes_md5": digest_classes(trained)}
    command = environment(tmp_path)
    command.model_registry = SimpleNamespace(versions=lambda: [make_version(1, properties=properties)])

    # WHEN / THEN
    expected = f"v1 was trained on the classes bus, tractor, but the deployed stack has bicycle, motorcycle: .*{advice}"
    with pytest.raises(ClassesDifferError, match=expected):
        check_model(command, CaptureLocation("s3://bucket/capture", "v1", "endpoint", config, True))


def test_error_for_an_unknown_model_lists_the_registered_models(tmp_path: Path) -> None:
    # GIVEN
    command = environment(tmp_path)
    command.model_registry = SimpleNamespace(versions=lambda: [make_version(1)])

    # WHEN / THEN
    with pytest.raises(OperatorError, match="there is no model 'vx': the registry has v1"):
        check_model(command, CaptureLocation("s3://bucket/capture", "vx", "endpoint", None, False))
