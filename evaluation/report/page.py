"""Render the report. Sections are rendered one by one, so that a section that fails does not affect the others."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from common.terminal import counted
from evaluation import figures
from evaluation.data_drift import adjusted_text
from evaluation.metrics import percent
from evaluation.pages import load_templates
from evaluation.report.formats import format_time, format_usd, interval, interval_short, sentence, with_code
from evaluation.report.results import Results
from evaluation.report.sections import SECTIONS, Section
from evaluation.report.verdict_section import decide_on


@cache
def templates() -> Environment:
    """Return the templates, which are compiled once."""
    return load_templates(
        percent=percent,
        interval=interval,
        interval_short=interval_short,
        display_name=figures.display_name,
        time=format_time,
        usd=format_usd,
        adjusted_text=adjusted_text,
        counted=counted,
        sentence=sentence,
        with_code=with_code,
    )


def render(results: Results, *, written: datetime) -> str:
    """Return the HTML page. A section without results names the command that produces the results."""
    # the data set of the evaluation or the run; before the first run, the data set of the training job
    data: Mapping[str, Any] = results.evaluation or results.run or results.training or {}
    with_classes: Mapping[str, Any] = results.evaluation or results.run or results.monitoring or {}
    classes = with_classes.get("classes")
    return (
        templates()
        .get_template("report/page.html")
        .render(
            environment=results.environment,
            make=make_command(results),
            written=format_time(written.isoformat()),
            start=results.start,
            end=results.end,
            source=data.get("source"),
            is_synthetic=bool(data.get("synthetic")),
            classes=classes if isinstance(classes, list) else [],  # a result file may have any content
            notes=notes(results),
            verdict=decide_on(results),
            sections=[(section, render_section(section, results)) for section in SECTIONS],
        )
    )


def make_command(results: Results) -> Callable[[str], str]:
    """Return a function that returns the command line of a make target in this environment."""
    return lambda target: f"make {target} ENV={results.environment}"


def render_section(section: Section, results: Results) -> Markup:
    """Return the HTML of a section. If the results cannot be shown, the section contains the reason."""
    problems = [results.problems[name] for name in section.fields if name in results.problems]
    context: Mapping[str, Any] | None = None
    html = ""
    make = make_command(results)
    try:
        if context := section.content(results):
            html = templates().get_template(f"report/{section.name}.html").render(context, make=make)
    except Exception as error:  # a result file may have any content
        reason = f"{type(error).__name__}: {error}"
        problems.append(f"The results of `{make(section.target)}` cannot be shown ({reason}): run the command again.")
    frame = templates().get_template("report/section.html")
    return Markup(  # noqa: S704  (escaped by the templates)
        frame.render(
            section=section,
            content=Markup(html),  # noqa: S704
            problems=problems,
            is_missing=context is None,
            make=make,
        )
    )


def notes(results: Results) -> list[str]:
    """Return a sentence for each inconsistency between the results, with the command that resolves it."""
    try:
        return list(_inconsistencies(results))
    except (TypeError, ValueError):  # a result file may have any content; the file's section reports the problem
        return []


def _inconsistencies(results: Results) -> Iterator[str]:
    training, run, environment = results.training, results.run, results.environment
    evaluation, monitoring = results.evaluation, results.monitoring
    if run and evaluation and evaluation["run_started"] != run["started"]:
        yield f"The evaluation is of an earlier run: run make evaluate ENV={environment}."
    if run and monitoring and monitoring["written"] < run["finished"]:
        yield f"The captured data was read before the last run: run make monitor ENV={environment}."
    data = evaluation or run
    if training and data and data["source"] != training["source"]:
        yield f"The latest model was trained on another data set than the one evaluated: {training['source']}."
    if run and training and run["model_package_arn"] != training["model_package_arn"]:
        yield (
            "The last run used another model than the latest trained one: "
            f"run make deploy ENV={environment}, then make run ENV={environment}."
        )
