"""Describe an execution as text for the terminal, in lines of at most 80 columns."""

import contextlib
import json
import textwrap
from collections.abc import Iterator

from common.terminal import WIDTH, counted
from common.times import format_duration, format_utc
from evaluation.execution_details import ExecutionDetails, MapRun
from evaluation.execution_history import Step
from evaluation.payloads import format_line, printable

INDENT = 12
NAME_WIDTH = 28
MAX_CAUSE = 600  # maximum length of an error's cause in characters


def describe_lines(execution: ExecutionDetails, *, threshold: float) -> Iterator[str]:
    """Yield the lines that describe an execution: facts, steps, and the states that were not reached."""
    for title, text in facts(execution, threshold=threshold):
        yield from wrap(title, text)
    yield ""
    for _, step in execution.first_steps:
        yield from _step_lines(execution, step)
    if execution.steps_left_out:
        yield f"… {execution.steps_left_out} steps left out"
    for _, step in execution.last_steps:
        yield from _step_lines(execution, step)
    if not execution.steps:
        yield from wrap("history", why_no_steps(execution))
        yield from wrap("input", format_line(execution.input, WIDTH - INDENT))
    if execution.not_reached:
        yield from wrap("not reached", ", ".join(execution.not_reached))
    if execution.output is not None:
        yield from wrap("output", format_line(execution.output, WIDTH - INDENT))


def why_no_steps(execution: ExecutionDetails) -> str:
    """Return the reason why an execution has no steps."""
    if ":express:" in execution.arn:
        return "none: AWS keeps no history of an EXPRESS execution"
    return "none: the execution has not entered a state, or AWS has deleted its history"


def facts(execution: ExecutionDetails, *, threshold: float) -> Iterator[tuple[str, str]]:
    """Yield title and text of each fact about an execution."""
    preposition = "for" if execution.stopped is None else "in"
    yield "status", f"{execution.status} {preposition} {format_duration(execution.seconds)}"
    yield "execution", execution.name
    yield "machine", execution.machine
    yield "started", f"{format_utc(execution.started)} UTC"
    if execution.redrives:
        yield "redrives", str(execution.redrives)
    if execution.image:
        version = f" (version {execution.image.version})" if execution.image.version else ""
        yield "image", f"{execution.image.uri}{version}"
    if execution.probabilities:
        name, confidence = execution.probabilities[0]
        comparison = "reaches" if confidence >= threshold else "is below"
        yield "prediction", f"{name}; its confidence {confidence:.4f} {comparison} the threshold {threshold:g}"
        yield "", ", ".join(f"{name} {probability:.4f}" for name, probability in execution.probabilities)
    if execution.model_version:
        yield "model", execution.model_version
    if execution.error:
        yield "error", execution.error
    if execution.cause:
        yield "cause", describe_cause(execution.cause, MAX_CAUSE)


def describe_cause(cause: str, limit: int) -> str:
    """Return the error message in a cause, truncated after `limit` characters.

    The cause of an exception in a Lambda function is a JSON object with the message and the stack trace:
    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
    """
    with contextlib.suppress(ValueError, RecursionError):
        match json.loads(cause):
            case {"errorMessage": str(message)}:
                cause = message
    return cause if len(cause) <= limit else f"{cause[:limit]}… ({len(cause):,} characters)"


def wrap(title: str, text: str, indent: int = INDENT) -> list[str]:
    """Return a title and a text, which begins after `indent` columns, as lines of at most 80 columns."""
    return textwrap.wrap(
        printable(" ".join(text.split())),
        WIDTH,
        initial_indent=f"{title:<{indent}}",
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )


def _step_lines(execution: ExecutionDetails, step: Step) -> Iterator[str]:
    indent = "  " * step.depth
    item = "" if step.iteration is None else f" [{step.iteration}]"
    name = f"{indent}{step.name}{item}"
    duration = format_duration(step.seconds) if step.seconds is not None else ""
    retries = f", retries: {step.retries}" if step.retries else ""
    shown = name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 1]}…"
    time = format_utc(step.entered, "%H:%M:%S.%f")[:-3]
    yield f"{step.status.symbol} {printable(shown):<{NAME_WIDTH}} {time} {duration:>11}  {step.status.word}{retries}"
    width = WIDTH - INDENT
    for title, value in (("input", step.input), ("output", step.output), ("variables", step.variables)):
        if value is not None:
            is_repeated = title == "output" and value == step.input
            yield f"  {title:<{INDENT - 2}}{'the same as the input' if is_repeated else format_line(value, width)}"
    if step.error:
        text = f"{step.error}: {describe_cause(step.cause, MAX_CAUSE // 2)}" if step.cause else step.error
        yield from wrap("  error", text)
    if step.map_run_arn:
        run = execution.map_runs[step.map_run_arn]
        yield from wrap("  map run", describe_map_run(run))
        if run.failed:  # an ARN is longer than a line of the terminal
            yield from wrap("", "the HTML page lists the ARNs of the first failed child executions")


def describe_map_run(run: MapRun) -> str:
    """Return the status and the item counts of a map run as text."""
    counts = ", ".join(
        f"{name} {count}" for name, count in run.items.items() if count and name not in ("total", "resultsWritten")
    )
    return f"{run.status}: {counted(run.items.get('total', 0), 'item')}{f', {counts}' if counts else ''}"
