"""The section about drift: which properties of the traffic differ from the baseline of the model."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from evaluation import drift_figures, figures
from evaluation.data_drift import Drift, Figures, Result
from evaluation.report.drawings import draw
from evaluation.report.results import Results

DECIDED = ("drift", "no_drift")  # outcomes of a comparison with enough images
MAX_RESULTS_SHOWN = 10


def drift(results: Results) -> Mapping[str, Any] | None:
    """Return the latest comparison with the baseline, and the outcomes of earlier comparisons."""
    if not results.drift:
        return None
    latest = latest_result(results.drift, results.in_use)
    found = latest["figures"]
    drawings = {"distributions": partial(drift_figures.distributions, found=found)} if found["histograms"] else {}
    return {
        "latest": latest,
        "found": found,
        "outcome": outcome(found),
        "changes": sorted(found["changes"], key=lambda change: change["adjusted"]),
        "outcomes": [(each, outcome(each["figures"])) for each in reversed(results.drift["results"])][
            :MAX_RESULTS_SHOWN
        ],
        "figures": draw(drawings),
        "description": describe(found),
    }


def latest_result(drift: Drift, in_use: str | None) -> Result:
    """Return the latest comparison that had enough images, or the latest of all comparisons if none had enough.

    Parameters
    ----------
    in_use : version in use, or None if it is not known; if this version has results, all other results are ignored
    """
    results = [result for result in drift["results"] if result["model"] == in_use] or drift["results"]
    decided = [result for result in results if result["figures"]["outcome"] in DECIDED]
    return (decided or results)[-1]


def outcome(found: Figures) -> str:
    """Return the outcome of a comparison in words."""
    return found["outcome"].replace("_", " ")


def drifted_properties(found: Figures) -> Sequence[str]:
    """Return the names of the properties that have drifted, most significant first."""
    drifted = sorted(
        (change for change in found["changes"] if change["has_drifted"]), key=lambda change: change["adjusted"]
    )
    return list(dict.fromkeys(figures.display_name(change["name"]) for change in drifted))


def describe(found: Figures) -> str:
    """Return a description of the figure, for people who cannot see it."""
    predicted = (found["predicted"].get(name, ()) for name in ("baseline", "window"))
    counts = "; ".join(
        f"{figures.display_name(name)} {before}, then {after}"
        for name, before, after in zip(found["classes"], *predicted, strict=False)
    )
    drifted = ", ".join(drifted_properties(found)) or "none"
    return (
        f"Distributions in the baseline and in the time range. Drifted: {drifted}. Predictions of each class: {counts}"
    )
