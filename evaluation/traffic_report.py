"""Check and summarise simulated traffic: outcomes, problems, throughput, latency and a figure."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from common.s3 import split_url
from common.terminal import counted
from evaluation.figures import DASHED, Theme
from evaluation.review.answers import NEITHER
from evaluation.traffic import Target, Traffic, Upload, utc
from evaluation.traffic_arrivals import DRIVER_PREFIX
from evaluation.traffic_items import read_all_items, read_drivers, review_entries

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PERCENTILES = (50, 95, 99)
MAX_PROBLEMS_PRINTED = 10
MAX_OUTCOMES_PRINTED = 30
UNKNOWN = "not followed to its end"
NO_RESULT = ("lost", "failed upload")
BINS = 60


def outcome(upload: Upload) -> str:
    """Return the outcome of an upload as text, followed by the error name if the outcome is `review`."""
    if upload.outcome == "review":
        return f"review: {upload.error}"
    return upload.outcome or UNKNOWN


def find_problems(traffic: Traffic, target: Target, *, s3: Any, dynamodb: Any) -> list[str]:
    """Return a line for each image without exactly one result, and for each driver whose item is outdated."""
    lost = [f"{describe(each)}: {each.outcome}: {each.error}" for each in traffic.uploads if each.outcome in NO_RESULT]
    followed = [each for each in traffic.uploads if each.outcome and each.outcome not in NO_RESULT]
    return [
        *lost,
        *_changed_items(followed, target, dynamodb=dynamodb),
        *_wrong_reviews(followed, target, s3=s3),
        *_outdated_drivers(followed, target, dynamodb=dynamodb),
    ]


def describe(upload: Upload) -> str:
    """Return the URI and the version of an upload as text."""
    return f"{upload.image} version {upload.version}"


def _changed_items(followed: Sequence[Upload], target: Target, *, dynamodb: Any) -> Iterator[str]:
    """Yield a line for each image whose item was deleted or written again after the command had read it."""
    items = read_all_items(target.vehicles_table, [each.key for each in followed], dynamodb=dynamodb)
    for upload in followed:
        item = items.get(upload.key)
        if item is None:
            yield f"{describe(upload)}: its item was deleted"
        elif (item["outcome"], item["execution"]) != (upload.outcome, upload.execution):
            second = f"{item['outcome']} by {item['execution']}"
            yield f"{describe(upload)}: ended twice: {upload.outcome} by {upload.execution}, then {second}"


def _wrong_reviews(followed: Sequence[Upload], target: Target, *, s3: Any) -> Iterator[str]:
    """Yield a line for each image whose review entries do not match its item."""
    entries = review_entries(target.bucket, target.review_prefix, DRIVER_PREFIX, s3=s3)
    for upload in followed:
        found = entries.get(str(upload.version), [])
        expected = [upload.error] if upload.outcome == "review" else []
        if found == expected:
            continue
        if not found:
            yield f"{describe(upload)}: no review entry for {upload.error}"
        else:
            yield f"{describe(upload)}: ended twice: {outcome(upload)}, and review entries for {', '.join(found)}"


def _outdated_drivers(followed: Sequence[Upload], target: Target, *, dynamodb: Any) -> Iterator[str]:
    """Yield a line for each driver whose item is older than the driver's newest classified photograph."""
    newest: dict[str, str] = {}
    for upload in followed:
        if order := upload.photograph_order:
            driver = upload.arrival.driver
            newest[driver] = max(order, newest.get(driver, ""))
    items = read_drivers(target.drivers_table, list(newest), dynamodb=dynamodb)
    for driver, order in newest.items():
        found = items.get(driver, {}).get("photograph_order", "")
        if found < order:
            yield f"driver {driver}: the newest photograph is {order}, the driver's item has {found or 'none'}"


def summary(traffic: Traffic, problems: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the printed summary."""
    uploads = traffic.uploads
    if not uploads:
        yield "nothing was uploaded"
        return
    drivers = len({each.arrival.driver for each in uploads})
    yield f"{counted(len(uploads), 'image')} of {counted(drivers, 'driver')} uploaded, {_rate(_uploaded(uploads))}"
    ended = sorted(each.ended for each in uploads if each.ended is not None)
    yield f"{counted(len(ended), 'image')} ended, {_rate([_uploaded(uploads)[0], *ended])}"
    yield f"{'outcome':<44}{'images':>7}{'share':>8}" + "".join(f"{f'p{each}':>7}" for each in PERCENTILES)
    groups = _by_outcome(uploads)
    for name, members in groups[:MAX_OUTCOMES_PRINTED]:
        yield _line(name, members, len(uploads))
    if len(groups) > 1:
        yield _line("all", uploads, len(uploads))
    yield f"p{PERCENTILES[0]} to p{PERCENTILES[-1]}: seconds from upload to record"
    for problem in problems[:MAX_PROBLEMS_PRINTED]:
        yield f"problem: {problem}"
    if len(problems) > MAX_PROBLEMS_PRINTED:
        yield f"{len(problems) - MAX_PROBLEMS_PRINTED} more problems are in traffic.json"


def _line(name: str, members: Sequence[Upload], total: int) -> str:
    line = f"{name[:43]:<44}{len(members):>7}{len(members) / total:>8.1%}"
    seconds = _seconds(members)
    return line + "".join(f"{value:>7.2f}" for value in np.percentile(seconds, PERCENTILES)) if seconds else line


def _uploaded(uploads: Sequence[Upload]) -> list[float]:
    return sorted(each.uploaded for each in uploads)


def _rate(times: Sequence[float]) -> str:
    """Return the rate of events as text, from their sorted times in seconds."""
    seconds = times[-1] - times[0]
    return f"{len(times) / seconds:.1f}/s in {seconds:.1f} s" if seconds else "at once"


def _seconds(uploads: Sequence[Upload]) -> list[float]:
    return [each.seconds for each in uploads if each.seconds is not None]


def _by_outcome(uploads: Sequence[Upload]) -> list[tuple[str, list[Upload]]]:
    """Return the uploads of each outcome, the most frequent outcome first."""
    members: dict[str, list[Upload]] = defaultdict(list)
    for upload in uploads:
        members[outcome(upload)].append(upload)
    return sorted(members.items(), key=lambda group: -len(group[1]))


def to_json(traffic: Traffic, problems: Sequence[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `traffic.json`.

    Parameters
    ----------
    settings : the options of the command
    """
    return {
        **settings,
        "started": utc(traffic.started),
        "interrupted": traffic.interruption is not None,
        "outcomes": dict(Counter(map(outcome, traffic.uploads))),
        "problems": list(problems),
        "uploads": [_upload_json(each) for each in traffic.uploads],
    }


def _upload_json(upload: Upload) -> dict[str, Any]:
    return {
        "driver": upload.arrival.driver,
        "kind": upload.arrival.kind,
        "image": upload.image,
        "version": upload.version,
        "arrival": round(upload.arrival.seconds, 3),
        "uploaded": utc(upload.uploaded),
        "ended": None if upload.ended is None else utc(upload.ended),
        "seconds": None if upload.seconds is None else round(upload.seconds, 3),
        "outcome": upload.outcome,
        "error": upload.error,
        "execution": upload.execution,
    }


def labels_csv(traffic: Traffic, labels: Sequence[str]) -> str:
    """Return the true label of each uploaded image that can be read, as a label file.

    Parameters
    ----------
    labels : class name of each test image, in the order of the argument `images` of `drive`
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["key", "version", "label"])
    for upload in traffic.uploads:
        if upload.version and upload.arrival.kind != "unreadable":
            label = labels[upload.arrival.number % len(labels)] if upload.arrival.kind == "test" else NEITHER
            writer.writerow([split_url(upload.image)[1], upload.version, label])
    return stream.getvalue()


def draw(theme: Theme, traffic: Traffic) -> Figure:
    """Return a figure: uploaded and ended images per second, latency over time, and latency by outcome."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(9.0, 9.5), layout="constrained")
    rates, latency, distribution = figure.subplots(3, 1)
    uploads = [each for each in traffic.uploads if each.version is not None]
    latency.sharex(rates)
    _draw_rates(rates, theme, traffic.started, uploads)
    groups = [(name, members) for name, members in _by_outcome(uploads) if _seconds(members)]
    for number, (name, members) in enumerate(groups):
        colour, marker = theme.classes[number % len(theme.classes)], "os^Dv"[number % 5]
        ended = [each for each in members if each.seconds is not None]
        latency.scatter(
            [each.uploaded - traffic.started for each in ended],
            _seconds(ended),
            s=14,
            marker=marker,
            color=colour,
            alpha=0.6,
            linewidths=0,
            rasterized=True,
        )
        values = np.sort(_seconds(ended))
        distribution.step(
            values, np.arange(1, len(values) + 1) / len(values), where="post", color=colour, linewidth=2,
            marker=marker, markevery=0.1, markersize=5, label=f"{name} ({len(members)})",
        )  # fmt: skip
    seconds = _seconds(uploads)
    latency.set(xlabel="Seconds from the start to the upload", ylabel="Seconds to record")
    latency.set_ylim(bottom=0)
    if seconds:
        p50, p95, p99 = np.percentile(seconds, PERCENTILES)
        latency.set_title(f"Latency from upload to record: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s")
        for share in PERCENTILES:
            distribution.axhline(share / 100, color=theme.muted, linewidth=0.8, linestyle=DASHED)
            below = share == 95  # above the line, the label would cover the label of p99
            distribution.annotate(
                f"p{share}", (1.005, share / 100), xycoords=("axes fraction", "data"), fontsize=9, color=theme.muted,
                va="top" if below else "bottom",
            )  # fmt: skip
        distribution.yaxis.set_major_formatter(PercentFormatter(1))
        distribution.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    distribution.set(ylim=(0, 1.01), xlabel="Seconds from upload to record", ylabel="Share of the outcome's images")
    distribution.set_title("Distribution of latency by outcome")
    return figure


def _draw_rates(axes: Any, theme: Theme, started: float, uploads: Sequence[Upload]) -> None:
    uploaded = np.array([each.uploaded for each in uploads]) - started
    ended = np.array([each.ended for each in uploads if each.ended is not None]) - started
    last = max([*uploaded, *ended, 1.0])
    edges = np.linspace(0, last, min(BINS, max(int(last), 1)) + 1)
    for number, (times, label) in enumerate(((uploaded, "uploaded"), (ended, "ended"))):
        counts, _ = np.histogram(times, edges)
        axes.stairs(
            counts / np.diff(edges), edges, color=theme.classes[number], linewidth=2, label=f"{label} ({len(times)})",
            linestyle="-" if number == 0 else "--",
        )  # fmt: skip
    axes.set(ylabel="Images per second", xlabel="Seconds from the start")
    axes.set_ylim(bottom=0)
    axes.set_title("Uploaded and ended images")
    axes.legend(loc="upper right")
