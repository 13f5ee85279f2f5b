"""The sections of the report, in order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.report.capture_sections import captures, images
from evaluation.report.drift_section import drift
from evaluation.report.evaluation_section import evaluated
from evaluation.report.lineage_section import lineage
from evaluation.report.live_section import live
from evaluation.report.operation_sections import cost, executions, settings
from evaluation.report.results import Results
from evaluation.report.trend_section import trend


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    name : name of the section's anchor and template
    target : make target that produces the section's results
    fields : fields of `Results` that the section shows
    content : function that returns the values for the template, or None if there are no results
    """

    name: str
    title: str
    target: str
    fields: tuple[str, ...]
    content: Callable[[Results], Mapping[str, Any] | None]


SECTIONS = (
    Section("lineage", "Data and model", "train", ("training", "lineage"), lineage),
    Section("evaluation", "Evaluation on the test images", "evaluate", ("evaluation",), evaluated),
    Section("live", "Live traffic with labels", "live", ("live",), live),
    Section("captures", "Captured predictions over time", "monitor", ("monitoring",), captures),
    Section("images", "Low-confidence and misclassified images", "monitor", ("monitoring", "live"), images),
    Section("drift", "Drift", "data-drift", ("drift",), drift),
    Section("executions", "Executions", "run", ("run", "outcomes"), executions),
    Section("cost", "Cost", "deploy", ("cost",), cost),
    Section("trend", "Trend across model versions", "train", ("history",), trend),
    Section("settings", "Settings and versions", "run", (), settings),
)
