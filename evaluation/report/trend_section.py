"""The section about the trend across model versions, from the history of results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from evaluation.history import Entry
from evaluation.metrics import percent
from evaluation.report import charts
from evaluation.report.drawings import draw
from evaluation.report.results import Results
from evaluation.report.verdict import Accuracy

# By kind of the history entries with an accuracy: the images on which the accuracy was measured
ACCURACIES = {"training": "Validation images", "run": "Test images", "live": "Live traffic"}


@dataclass(frozen=True)
class VersionTrend:
    """The latest results of a model version.

    Attributes
    ----------
    accuracies : accuracies by the kind of images on which they were measured (the values of `ACCURACIES`)
    low_confidence : proportion of the captured images below the threshold
    drifted : number of time ranges in which the traffic had drifted
    compared : number of time ranges that were compared with the baseline
    reviewed_images : number of reviewed images in the training data
    """

    model: str
    accuracies: Mapping[str, Accuracy]
    low_confidence: float | None
    drifted: int
    compared: int
    reviewed_images: int


def trend(results: Results) -> Mapping[str, Any] | None:
    """Return the results by model version, with a figure of the accuracies."""
    versions = list(by_version(results.history))
    if not versions:
        return None
    series = {name: [version.accuracies.get(name) for version in versions] for name in ACCURACIES.values()}
    measured = {name: values for name, values in series.items() if any(values)}
    names = [version.model for version in versions]
    drawings = {"accuracies": partial(charts.accuracies, versions=names, series=measured)} if measured else {}
    return {
        "versions": versions,
        "columns": list(ACCURACIES.values()),
        "figures": draw(drawings),
        "description": describe(versions),
    }


def by_version(history: Sequence[Entry]) -> Iterator[VersionTrend]:
    """Yield the results of each version in ascending order; entries without a version are left out."""
    models = {entry["model"] for entry in history if entry["model"]}
    for model in sorted(models, key=version_number):
        entries = [entry for entry in history if entry["model"] == model]
        latest = {entry["kind"]: entry["figures"] for entry in sorted(entries, key=lambda each: each["written"])}
        measured = {name: accuracy_of(latest[kind]) for kind, name in ACCURACIES.items() if kind in latest}
        drift = [entry["figures"] for entry in entries if entry["kind"] == "drift"]
        yield VersionTrend(
            model=model,
            accuracies={name: accuracy for name, accuracy in measured.items() if accuracy},
            low_confidence=latest.get("monitoring", {}).get("share_below_threshold"),
            drifted=sum(figures.get("outcome") == "drift" for figures in drift),
            compared=sum(figures.get("outcome") in ("drift", "no_drift") for figures in drift),
            reviewed_images=latest.get("training", {}).get("reviewed_images") or 0,
        )


def version_number(model: str) -> tuple[int, str]:
    """Return a key that sorts v10 after v9; other names come first."""
    digits = model.removeprefix("v")
    return (int(digits), "") if digits.isascii() and digits.isdecimal() else (0, model)


def accuracy_of(figures: Mapping[str, Any]) -> Accuracy | None:
    """Return the accuracy of an entry: for live traffic, the estimate for all traffic or else that of the audit sample.

    Return None if the entry has no accuracy, or if the accuracy has an unknown format. Entries are never replaced, so
    an entry that another version of this project wrote must not prevent the report from showing all other entries.
    """
    found = figures.get("accuracy") or figures.get("audit_accuracy")
    if not isinstance(found, Mapping):
        found = {"value": found, "interval": figures.get("accuracy_interval"), "n": figures.get("n", 0)}
    try:
        value, interval = found["value"], found["interval"]
        if value is None:
            return None
        return Accuracy(float(value), (float(interval[0]), float(interval[1])) if interval else None, int(found["n"]))
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def describe(versions: Sequence[VersionTrend]) -> str:
    """Return a description of the figure, for people who cannot see it."""
    lines = (
        f"{version.model}: {', '.join(f'{name} {percent(each.value)}' for name, each in version.accuracies.items())}"
        for version in versions
        if version.accuracies
    )
    return f"Accuracy by model version. {'; '.join(lines)}"
