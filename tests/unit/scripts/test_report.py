"""`make report` writes the page even if AWS services cannot be read or the time range is invalid."""

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.errors import OperatorError
from common.files import StepMissingError
from common.times import TimeRangeError
from deployment.read_stack import StackMissingError
from scripts import report
from scripts.command.environment import Environment
from tests.unit.evaluation.report.pages import write_results
from tests.unit.stacks import make_stack


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory `build/local` below an empty current directory, in which neither Terraform nor AWS is used."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evaluation.figures.as_svg", lambda draw, theme: "<svg/>")
    monkeypatch.setattr(report, "read_settings", lambda name: {"minimum_accuracy": 0.8})
    return Environment("local", argparse.Namespace()).directory


def environment(**options: str) -> Environment:
    """Return the environment `local` of `make report` with these options."""
    return Environment("local", argparse.Namespace(**{"since": "", "until": "", **options}))


def test_page_without_a_deployed_stack_shows_the_results_of_other_commands(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    write_results(directory)

    def fail(terraform: object) -> None:
        raise StackMissingError("local is not deployed: run `make up ENV=local`")

    monkeypatch.setattr("scripts.command.environment.read_stack", fail)

    # WHEN
    report.main(environment())

    # THEN each of the four sections that need the stack says that it is not deployed
    page = (directory / "report.html").read_text()
    assert page.count("local is not deployed: run <code>make up ENV=local</code>") == 4
    assert "Confidence and threshold" in page
    assert capsys.readouterr().out == f"{directory.resolve() / 'report.html'}\n"


def test_page_is_written_and_an_error_raised_for_a_time_range_in_the_future(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    write_results(directory)
    monkeypatch.setattr("scripts.command.environment.read_stack", lambda terraform: make_stack())
    monkeypatch.setattr(report, "model_in_use", lambda environment: "v1")
    monkeypatch.setattr(report, "model_lineage", lambda environment: [("model", "v1")])

    # WHEN
    with pytest.raises(TimeRangeError, match="SINCE must not be in the future"):
        report.main(environment(since="2099-01-01"))

    # THEN
    page = (directory / "report.html").read_text()
    assert page.count("SINCE must not be in the future (got 2099-01-01") == 3
    assert "Confidence and threshold" in page


def test_costs_in_a_region_without_prices_are_not_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr("scripts.command.environment.read_stack", lambda terraform: make_stack(region="eu-west-1"))
    deployed = environment()

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"has prices for us-east-1 only \(got eu-west-1\)"):
        report.cost(deployed, deployed.window, None)


@pytest.mark.parametrize(
    ("served", "approved", "in_use"),
    [
        pytest.param(1, 2, "v1", id="approved but not deployed"),
        pytest.param(2, 2, "v2", id="deployed"),
        pytest.param(None, 2, "v2", id="no endpoint"),
        pytest.param(None, None, None, id="no model"),
    ],
)
def test_model_in_use_is_the_model_of_the_endpoint_or_else_the_approved_model(
    monkeypatch: pytest.MonkeyPatch, served: int | None, approved: int | None, in_use: str | None
) -> None:
    # GIVEN
    def arn(number: int | None) -> str | None:
        return None if number is None else f"arn:aws:sagemaker:us-east-1:1:model-package/scones/{number}"

    monkeypatch.setattr(report, "deployed_model_package", lambda endpoint, sagemaker: arn(served))
    monkeypatch.setattr("scripts.command.environment.read_stack", lambda terraform: make_stack())
    monkeypatch.setattr(Environment, "client", lambda self, service: None)
    monkeypatch.setattr(Environment, "model_registry", SimpleNamespace(arn_in_use=lambda: arn(approved)))

    # WHEN / THEN
    assert report.model_in_use(environment()) == in_use


def test_error_without_any_result_names_make_demo(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    def fail(terraform: object) -> None:
        raise StackMissingError("local is not deployed")

    monkeypatch.setattr("scripts.command.environment.read_stack", fail)

    # WHEN / THEN
    with pytest.raises(StepMissingError, match="make demo ENV=local"):
        report.main(environment())
    assert not (directory / "report.html").exists()
