"""Put everything that is known on one page, `report.html`, which needs nothing beside itself."""

import base64
import importlib.metadata
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape

from common.files import StepMissingError, read_json, write
from evaluation import figures
from evaluation.results import FILES, is_drawn, make
from scripts.command import Environment, run_command
from scripts.monitor import draw_confidence
from scripts.run import outcome_counts

TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = ("boto3", "sagemaker", "numpy", "torch", "onnxruntime", "moto")
Results = dict[str, dict[str, Any]]
Rows = list[tuple[str, str]]


class NothingToReportError(StepMissingError):
    """No target has left anything yet."""


def main(environment: Environment) -> None:
    """Write the page, and print where it is.

    Raises
    ------
    NothingToReportError
        No target has left anything yet.
    StepMissingError
        What a target left is broken.
    """
    directory = environment.directory
    results = read_results(directory)
    page = render(results, directory, written=datetime.now(UTC))
    path = directory / "report.html"
    write(path, page.encode())
    print(path.resolve())


def read_results(directory: Path) -> Results:
    """What the targets left, by target.

    Raises
    ------
    NothingToReportError
        Nothing.
    """
    found = {
        target: read_json(directory / name, target) for target, name in FILES.items() if (directory / name).is_file()
    }
    if not found:
        raise NothingToReportError(f"there is nothing to report: run `{make('demo', directory)}`")
    return found


def render(results: Results, directory: Path, *, written: datetime) -> str:
    """The page; a part that is not there names the target that makes it."""
    templates = Templates(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(percent=percent, interval=interval, span=span, words=figures.words, moment=moment)
    source = source_of(results)
    return templates.get_template("report.html").render(
        environment=directory.name,
        written=moment(written.isoformat()),
        make=lambda target: make(target, directory),
        source=source,
        is_drawn=bool(source and is_drawn(source)),
        classes=next((found["classes"] for found in results.values() if "classes" in found), []),
        notes=notes(results, directory),
        evaluation=results.get("evaluate"),
        monitoring=results.get("monitor"),
        training=results.get("train"),
        figures=draw_all(results),
        model_rows=model_rows(results.get("train", {})),
        settings_rows=settings_rows(results),
        **executions(results.get("run")),
    )


def source_of(results: Results) -> str | None:
    """Which data the figures stand on; where nothing was run yet, what was trained on."""
    order = (results.get(target, {}) for target in ("evaluate", "run", "train"))
    return next((found["source"] for found in order if "source" in found), None)


def notes(results: Results, directory: Path) -> list[str]:
    """Where one part stands on something else than another, and what to run."""
    run, evaluation = results.get("run"), results.get("evaluate")
    monitoring, training = results.get("monitor"), results.get("train")
    found = []
    if run and evaluation and evaluation.get("run_started") != run["started"]:
        found.append(f"The evaluation is of an earlier run: {make('evaluate', directory)}.")
    if run and monitoring and monitoring["written"] < run["finished"]:
        found.append(f"The captured data was read before the last run: {make('monitor', directory)}.")
    if training and source_of(results) != training.get("source"):
        found.append(f"The model trained last learnt from other data than was run: {training.get('source')}.")
    if run and training and run["model_package_arn"] != training.get("model_package_arn"):
        found.append(
            "The last run was answered by another model than the one trained last: "
            f"{make('deploy', directory)}, then {make('run', directory)}."
        )
    return found


def executions(run: Mapping[str, Any] | None) -> dict[str, Any]:
    """The executions by outcome, and how long they took."""
    if not run:
        return {"outcomes": [], "total": 0, "took": ""}
    seconds = [each["seconds"] for each in run["executions"] if each["seconds"] is not None]
    took = f"{median(seconds):.2f} s each (median)" if seconds else "none of which ended"
    return {"outcomes": outcome_counts(run["executions"]), "total": len(run["executions"]), "took": took}


def draw_all(results: Results) -> dict[str, dict[str, str]]:
    """Each figure that can be drawn as data URIs, for light and dark pages."""
    drawings: dict[str, Callable[[figures.Theme], Any]] = {}
    if evaluation := results.get("evaluate"):
        calibration = evaluation["calibration"]
        error = calibration["expected_calibration_error"]
        drawings |= {
            "confusion": partial(figures.confusion, matrix=evaluation["confusion"], classes=evaluation["classes"]),
            "coverage": partial(figures.coverage, curve=evaluation["curve"], threshold=evaluation["threshold"]),
            "selection": partial(
                figures.selection,
                curve=evaluation["curve"],
                threshold=evaluation["threshold"],
                area=evaluation["risk_coverage_area"],
            ),
            "reliability": partial(figures.reliability, bins=calibration["bins"], error=error),
        }
    if monitoring := results.get("monitor"):
        drawings["confidence"] = partial(draw_confidence, monitoring=monitoring)
    if history := results.get("train", {}).get("metrics", {}).get("epochs"):
        drawings["epochs"] = partial(figures.epochs, history=history)
    return {
        name: {theme.name: data_uri(figures.as_svg(drawing, theme)) for theme in (figures.LIGHT, figures.DARK)}
        for name, drawing in drawings.items()
    }


def data_uri(svg: str) -> str:
    """An SVG as an address that holds it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def model_rows(training: Mapping[str, Any]) -> Rows:
    """What there is to say about the model that was trained last."""
    validation = training.get("validation", {})
    score = ""
    if validation:
        score = f"{percent(validation['accuracy'])}, {interval(validation['interval'])}, n = {validation['n']}"
    calibration, temperature = training.get("metrics", {}).get("calibration"), ""
    if calibration:
        temperature = (
            f"{calibration['temperature']:.3g}; it takes the expected calibration error on the validation rows "
            f"from {calibration['ece_before']:.3f} to {calibration['ece_after']:.3f}"
        )
    rows = {
        "validation accuracy": score,
        "temperature": temperature,
        "verdict": training.get("quality_gate", {}).get("reason"),
        "model package": training.get("model_package_arn"),
        "training job": training.get("job"),
        "instance": training.get("instance_type"),
        "billable seconds": training.get("seconds"),
        "image": training.get("image"),
        "data": training.get("source"),
        "code": training.get("code"),
    }
    return [(name, str(value)) for name, value in rows.items() if value]


def settings_rows(results: Results) -> Rows:
    """What the figures stand on, and what made the page."""
    run = results.get("run", {})
    names = {
        "endpoint": "endpoint",
        "endpoint configuration": "endpoint_config",
        "model package": "model_package_arn",
        "state machine": "state_machine_arn",
        "threshold": "threshold",
    }
    rows = [(title, str(run[name])) for title, name in names.items() if run.get(name) is not None]
    if run:
        rows.append(("run", f"{moment(run['started'])} to {moment(run['finished'])}"))
    versions = [f"Python {platform.python_version()}", *(f"{name} {found}" for name, found in installed().items())]
    return [*rows, ("made with", ", ".join(versions))]


def installed() -> dict[str, str]:
    """Versions of the packages that matter, where they are installed."""
    names = {found.metadata["Name"].lower(): found.version for found in importlib.metadata.distributions()}
    return {name: names[name] for name in PACKAGES if name in names}


def percent(value: float | None) -> str:
    """A share; a dash where there is none."""
    return "-" if value is None else f"{value:.1%}"


def span(value: tuple[float, float] | None) -> str:
    """An interval of a share."""
    return "" if value is None else f"{value[0]:.1%} to {value[1]:.1%}"


def interval(value: tuple[float, float] | None) -> str:
    """An interval of a share, in words."""
    return "" if value is None else f"{span(value)} (95 %)"


def moment(text: str) -> str:
    """A time, in UTC and to the second."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


if __name__ == "__main__":
    run_command(main, __doc__)
