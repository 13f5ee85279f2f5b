"""Drift: what moved in the traffic since the model was trained."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from evaluation import figures
from evaluation.history import Entry
from evaluation.report import charts
from evaluation.report.drawings import Drawing, draw
from evaluation.report.results import Results

DECIDED = ("drift", "no_drift")  # outcomes of a comparison with enough images
MAX_CLASSES_DRAWN = 20
MAX_COMPARISONS_SHOWN = 10


def drift(results: Results) -> Mapping[str, Any] | None:
    """Return the latest comparison with the baseline, and those before it."""
    entries = comparisons(results)
    latest = latest_comparison(entries)
    if latest is None:
        return None
    found = latest["figures"]
    return {
        "latest": latest,
        "found": found,
        "outcome": outcome(found),
        "moved": moved_properties(found),
        "changes": sorted(found["changes"], key=lambda each: each["adjusted"]),
        "comparisons": [(entry, outcome(entry["figures"])) for entry in reversed(entries[-MAX_COMPARISONS_SHOWN:])],
        "figures": draw(drawings(found)),
        "mix": describe_mix(found) if found.get("predicted") else "",
    }


def comparisons(results: Results) -> list[Entry]:
    """Return the comparisons with the baseline in order of time."""
    return sorted((entry for entry in results.history if entry["kind"] == "drift"), key=lambda entry: entry["written"])


def latest_comparison(entries: Sequence[Entry]) -> Entry | None:
    """Return the latest comparison that had enough images, or else the latest one."""
    decided = [entry for entry in entries if entry["figures"].get("outcome") in DECIDED]
    return decided[-1] if decided else entries[-1] if entries else None


def outcome(found: Mapping[str, Any]) -> str:
    """Return the outcome of a comparison in words."""
    return str(found.get("outcome", "not known")).replace("_", " ")


def moved_properties(found: Mapping[str, Any]) -> list[str]:
    """Return the names of the properties that moved, most significant first."""
    moved = sorted((each for each in found["changes"] if each["moved"]), key=lambda each: float(each["adjusted"]))
    return list(dict.fromkeys(figures.display_name(each["name"]) for each in moved))


def drawings(found: Mapping[str, Any]) -> Mapping[str, Drawing]:
    """Return the figures of a comparison, without those that have no data."""
    drawn: dict[str, Drawing] = {}
    if histograms := found["histograms"]:
        moved = {each["name"] for each in found["changes"] if each["moved"]}
        drawn["distributions"] = partial(charts.distributions, histograms=histograms, moved=moved)
    if (predicted := found.get("predicted")) and len(found["classes"]) <= MAX_CLASSES_DRAWN:
        drawn["class_mix"] = partial(charts.class_mix, classes=found["classes"], **predicted)
    return drawn


def describe_mix(found: Mapping[str, Any]) -> str:
    """Return the predicted classes, for readers who cannot see the figure."""
    predicted = found["predicted"]
    rows = zip(found["classes"], predicted["baseline"], predicted["window"], strict=True)
    counts = "; ".join(f"{figures.display_name(name)} {before}, then {after}" for name, before, after in rows)
    return f"Predictions of each class in the baseline and in the time range: {counts}"
