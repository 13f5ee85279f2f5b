"""Factories of the results of `make live` and of drift jobs, and of history entries."""

from collections.abc import Mapping
from typing import Any, cast

from evaluation.data_drift import Drift
from evaluation.history import Entry, Kind
from evaluation.live.results import Estimate, Figures, Live

WRITTEN = "2026-03-01T12:30:00+00:00"
WINDOW = {"start": "2026-02-22T13:00:00+00:00", "end": "2026-03-01T13:00:00+00:00"}
REVIEWED = {"start": "2026-02-22T14:00:00+00:00", "end": "2026-03-01T12:00:00+00:00", "not_covered": 0}
LABELS: dict[str, Any] = {
    "files": 1,
    "answers": 30,
    "read": 33,
    "used": 30,
    "unmatched": 1,
    "unknown_classes": 0,
    "contradictions": 1,
    "malformed": 1,
    "messages": ["The labels of incoming/anna/1.jpg differ: bicycle, motorcycle."],
}


def estimate(value: float | None, n: int = 30) -> Estimate:
    """Return an estimate from `n` images; if `value` is None, an estimate from no images."""
    if value is None:
        return {"value": None, "interval": None, "n": 0}
    return {"value": value, "interval": (max(value - 0.08, 0), min(value + 0.05, 1)), "n": n}


def make_figures(accuracy: float) -> Figures:
    """Return the metrics of 30 labelled images, one of which shows none of the classes."""
    score = {"images": 15, "precision": accuracy, "precision_interval": (0.8, 1.0), "recall": None}
    return cast(
        Figures,
        {
            "accuracy": estimate(accuracy),
            "coverage": estimate(0.8, 400),
            "precision": estimate(accuracy),
            "confusion": [[14, 1], [2, 12], [0, 1]],
            "per_class": [{"class": name, **score, "recall_interval": None} for name in ("bicycle", "motorcycle")],
            "curve": [
                {"threshold": 0.6, "coverage": 1.0, "accuracy": 0.87},
                {"threshold": 0.95, "coverage": 0.7, "accuracy": 0.95},
            ],
            "calibration": {
                "expected_calibration_error": 0.05,
                "binning": "15 bins of equal width",
                "mean_confidence": 0.9,
                "bins": [{"n": 30, "confidence": 0.9, "accuracy": 0.87, "interval": (0.7, 0.95)}],
            },
        },
    )


def make_live(accuracy: float = 0.9, **changes: Any) -> Live:
    """Return the results of `make live`; `accuracy` is the estimate for all traffic, and `changes` replace fields."""
    paired = {"n": 30, "correct": 26, "previous_correct": 20, "gained": 8, "lost": 2, "p_value": 0.99}
    content: dict[str, Any] = {
        "written": WRITTEN,
        "window": WINDOW,
        "endpoint": "cars",
        "model": "v2",
        "threshold": 0.93,
        "classes": ["bicycle", "motorcycle"],
        "records": 400,
        "duplicates": 2,
        "malformed": 1,
        "malformed_lines": ["some-file.jsonl, line 3: not JSON"],
        "skewed": 0,
        "labels": LABELS,
        "neither": 1,
        "labelled": make_figures(0.87),
        "audit": estimate(0.88, 9),
        "traffic": {
            "figures": make_figures(accuracy),
            "strata": [
                {"name": "below the threshold", "records": 80, "labelled": 20},
                {"name": "at or above the threshold", "records": 320, "labelled": 10},
            ],
            "method": "Ratio estimate of the strata, with bootstrap intervals.",
        },
        "reviewed": REVIEWED,
        "mistake_count": 0,
        "mistakes": [],
        "comparison": {
            "previous": "v1",
            "labelled": paired,
            "audit": None,
            "difference": {"value": 0.12, "interval": (0.02, 0.2), "n": 30},
            "invalid": 1,
        },
        "recommendation": {
            "target_precision": 0.95,
            "threshold": 0.95,
            "threshold_interval": (0.9, 1.0),
            "precision": estimate(0.95),
            "coverage": 0.7,
            "needed": 59,
            "is_supported": False,
        },
        "notes": [],
    }
    return cast(Live, {**content, **changes})


def make_unlabelled_live() -> Live:
    """Return the results of `make live` if no image is labelled."""
    empty: dict[str, Any] = dict.fromkeys(("labelled", "audit", "traffic", "reviewed", "comparison", "recommendation"))
    nothing: dict[str, Any] = {"neither": 0, "malformed": 0, "malformed_lines": [], "notes": ["No image is labelled."]}
    return make_live(**empty, **nothing, labels={**dict.fromkeys(LABELS, 0), "messages": []})


def make_entry(kind: Kind, model: str | None, day: int = 1, **figures: Any) -> Entry:
    """Return a history entry that was written on a day of March."""
    return {
        "kind": kind,
        "written": f"2026-03-{day:02}T12:00:00+00:00",
        "environment": "local",
        "model": model,
        "window": WINDOW,
        "figures": figures,
    }


def make_change(name: str, adjusted: float, *, has_drifted: bool, index: float | None = 0.3) -> dict[str, Any]:
    """Return the drift test of one property.

    Parameters
    ----------
    adjusted : p-value after the correction for multiple tests
    has_drifted : whether the property has drifted
    index : population stability index
    """
    return {
        "group": "image_statistics",
        "name": name,
        "kind": "kolmogorov_smirnov",
        "statistic": 0.4,
        "p_value": adjusted / 10,
        "stability_index": index,
        "adjusted": adjusted,
        "has_drifted": has_drifted,
    }


HISTOGRAM = {"edges": [0, 0.5, 1], "baseline": [10, 90], "window": [80, 20]}
DRIFT: dict[str, Any] = {
    "outcome": "drift",
    "reason": "200 images against 100 of the baseline: brightness (median 0.7 to 0.2)",
    "level": 0.001,
    "classes": ["bicycle", "motorcycle"],
    "images": 200,
    "unreadable": 1,
    "baseline_images": 100,
    "groups": {"confidence": False, "image_statistics": True},
    "changes": [
        make_change("embedding", 0.5, has_drifted=False, index=None),
        make_change("sharpness", 1e-4, has_drifted=True),
        make_change("brightness", 1e-9, has_drifted=True),
    ],
    "predicted": {"baseline": [50, 50], "window": [180, 20]},
    "histograms": {"brightness": HISTOGRAM, "sharpness": HISTOGRAM},
    "points": {"baseline": [[0, 1]], "window": [[1, 0]]},
    "records": 200,
    "malformed": 1,
    "malformed_lines": ["some-file.jsonl, line 3: not JSON"],
    "examples": [],
}
NO_DRIFT = {**DRIFT, "outcome": "no_drift", "reason": "nothing has drifted", "changes": [], "groups": {}}
TOO_FEW: dict[str, Any] = {
    **{name: {} for name in ("groups", "histograms", "points", "predicted")},
    **dict.fromkeys(("images", "unreadable", "baseline_images", "records", "malformed"), 0),
    "outcome": "too_few_images",
    "reason": "3 different images in the window and 100 in the baseline: the test needs at least 100 and 50",
    "level": 0.001,
    "classes": ["bicycle", "motorcycle"],
    "changes": [],
    "malformed_lines": [],
    "examples": [],
}


def make_drift(*found: Mapping[str, Any]) -> Drift:
    """Return the results of drift jobs, one for each day, the oldest first."""
    results = [
        {
            "written": f"2026-03-{day:02}T12:00:00+00:00",
            "model": "v1",
            "start": f"2026-02-{day + 21:02}T12:00:00+00:00",
            "end": f"2026-02-{day + 22:02}T12:00:00+00:00",
            "figures": figures,
        }
        for day, figures in enumerate(found, start=1)
    ]
    return cast(Drift, {"written": WRITTEN, "results": results})


HISTORY = [
    make_entry("training", "v1", accuracy=0.9, accuracy_interval=[0.8, 0.95], n=100),
    make_entry("training", "v10", accuracy=0.95, accuracy_interval=[0.89, 0.98], n=100, reviewed_images=40),
    make_entry("run", "v1", accuracy=0.88, accuracy_interval=[0.8, 0.93], n=100),
    make_entry("run", "v1", day=2, accuracy=0.89, accuracy_interval=[0.81, 0.94], n=100),
    make_entry("live", "v1", accuracy=estimate(0.7)),
    make_entry("live", "v10", accuracy=None, audit_accuracy=estimate(0.91)),
    make_entry("monitoring", "v1", share_below_threshold=0.2),
    make_entry("drift", "v1", **DRIFT),
    make_entry("drift", "v1", day=2, **NO_DRIFT),
    make_entry("drift", "v1", day=3, **TOO_FEW),
]
