"""Show the status of an environment in the terminal, 80 columns wide."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from common.terminal import WIDTH, counted
from common.times import format_utc
from deployment.live_status import DRIFT_RANGE, EXECUTIONS_RANGE, Endpoint, LiveStatus, Unknown
from evaluation.execution_metrics import Outcomes
from evaluation.history import Entry

BAR_WIDTH = 24  # characters
TITLE_WIDTH = 13
Cell = tuple[str, str]  # text and style


def make_console() -> Console:
    """Return a console that writes lines of at most 80 columns to standard output."""
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


def follow(
    read: Callable[[], LiveStatus],
    console: Console,
    *,
    interval: float,
    once: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show the status once, or repeatedly until the command is interrupted.

    In a terminal, the current status replaces the previous one. If standard output is not a terminal, each status is
    appended as a block of lines.

    Parameters
    ----------
    interval : number of seconds between two statuses
    """
    if once or not console.is_terminal:
        console.print(render(read()))
        while not once:
            sleep(interval)
            console.print()
            console.print(render(read()))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(render(read()), refresh=True)
            sleep(interval)


def render(status: LiveStatus) -> Group:
    """Return the heading and the lines that show a status."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=TITLE_WIDTH, style="bold")
    table.add_column(overflow="fold")
    for title, (text, style) in rows(status):
        table.add_row(title, Text(text, style=style))
    heading = Text(f"{status.environment}  {format_utc(status.time)} UTC", style="bold")
    return Group(heading, table)


def rows(status: LiveStatus) -> Iterator[tuple[str, Cell]]:
    """Yield the title, text and style of each line of a status."""
    yield from endpoint_rows(status.endpoint)
    yield from outcome_rows(status.outcomes)
    if isinstance(status.alarms, Unknown):
        yield "alarms", not_known(status.alarms)
    elif status.alarms:
        yield "alarms", (f"ALARM: {', '.join(status.alarms)}", "bold red")
    else:
        yield "alarms", ("none in ALARM", "green")
    if isinstance(status.open_reviews, Unknown):
        yield "review", not_known(status.open_reviews)
    else:
        advice = f": run make review ENV={status.environment}" if status.open_reviews else ""
        yield "review", (f"{counted(status.open_reviews, 'open image')}{advice}", "")
    yield "drift", drift_cell(status.drift)


def drift_cell(drift: Entry | Unknown | None) -> Cell:
    """Return the text and style for the latest comparison with the baseline."""
    if isinstance(drift, Unknown):
        return not_known(drift)
    if drift is None:
        return f"not compared in the last {DRIFT_RANGE.days} days", ""
    figures = drift["figures"]
    drifted = [name.replace("_", " ") for name, has_drifted in (figures.get("groups") or {}).items() if has_drifted]
    when = f"{drift['model'] or 'unknown model'}, {format_utc(datetime.fromisoformat(drift['written']))} UTC"
    if drifted:
        return f"drifted: {', '.join(drifted)} ({when})", "bold red"
    return f"{str(figures.get('outcome', 'unknown')).replace('_', ' ')} ({when})", ""


def not_known(value: Unknown) -> Cell:
    """Return the text and style for a value that could not be read."""
    return f"not known: {value.reason}", "yellow"


def endpoint_rows(endpoint: Endpoint | Unknown) -> Iterator[tuple[str, Cell]]:
    """Yield the lines about the endpoint and its model."""
    if isinstance(endpoint, Unknown):
        yield "endpoint", not_known(endpoint)
    elif endpoint.status is None:
        yield "endpoint", ("does not exist", "yellow")
    else:
        instances = "" if endpoint.instances is None else f", {counted(endpoint.instances, 'instance')}"
        yield "endpoint", (f"{endpoint.status}{instances}", "green" if endpoint.status == "InService" else "yellow")
        yield "model", (endpoint.model, "")


def outcome_rows(outcomes: Outcomes | Unknown) -> Iterator[tuple[str, Cell]]:
    """Yield the lines about the executions: counts by outcome, low-confidence images, and durations."""
    if isinstance(outcomes, Unknown):
        yield "executions", not_known(outcomes)
        return
    minutes = int(EXECUTIONS_RANGE.total_seconds() / 60)
    yield "executions", (f"{outcomes.total} ended in the last {minutes} minutes", "")
    for name, count in outcomes.counts.items():
        if count:
            share = count / outcomes.total
            style = {"succeeded": "green", "below the threshold": ""}.get(name, "red")
            yield "", (f"{name:<20}{count:>8}{share:>8.1%}  {'#' * round(share * BAR_WIDTH)}", style)
    if outcomes.classified:
        share = outcomes.low_confidence / outcomes.classified
        yield "threshold", (f"{share:.1%} of {counted(outcomes.classified, 'image')} below the threshold", "")
    if outcomes.p50 is not None and outcomes.p95 is not None:
        yield "duration", (f"p50 {outcomes.p50:.2f} s, p95 {outcomes.p95:.2f} s", "")
