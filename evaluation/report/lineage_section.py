"""The section about the lineage of the model in use and the latest training job."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from evaluation import figures
from evaluation.metrics import percent
from evaluation.report.drawings import draw
from evaluation.report.formats import interval
from evaluation.report.results import Results, Rows, Training

ONLY_IN_TRAINING = ("Validation accuracy", "Temperature", "Billable seconds")  # rows that the lineage does not contain


def lineage(results: Results) -> Mapping[str, Any] | None:
    """Return the lineage of the model in use, and the latest training job; None if there is neither."""
    training = results.training
    if not training and not results.lineage:
        return None
    epochs = training["metrics"].get("epochs") if training else None
    in_use = [text for _, text in results.lineage]
    rows = training_rows(training) if training else []
    if training and training["model_package_arn"] in in_use:
        rows = [row for row in rows if row[0] in ONLY_IN_TRAINING]
    return {
        "lineage": grouped(results.lineage),
        "rows": grouped(rows),
        "figures": draw({"epochs": partial(figures.epochs, history=epochs)} if epochs else {}),
        "last_epoch": epochs[-1] if epochs else None,
    }


def grouped(rows: Rows) -> list[tuple[str, list[str]]]:
    """Return each title with its values; a row without a title belongs to the title before it."""
    groups: list[tuple[str, list[str]]] = []
    for title, text in rows:
        if title or not groups:
            groups.append((title, []))
        groups[-1][1].append(text)
    return groups


def training_rows(training: Training) -> Rows:
    """Return title and value of each row of the table about the latest training job."""
    validation, calibration = training["validation"], training["metrics"].get("calibration")
    accuracy = f"{percent(validation['accuracy'])}, {interval(validation['interval'])}, n = {validation['n']}"
    rows: Mapping[str, object] = {
        "Validation accuracy": accuracy,
        "Temperature": _temperature(calibration) if calibration else None,
        "Quality gate": training["quality_gate"]["reason"],
        "Model package": training["model_package_arn"],
        "Training job": training["job"],
        "Instance type": training.get("instance_type"),
        "Billable seconds": training.get("seconds"),
        "Container image": training.get("image"),
        "Data": training["source"],
        "Code": training.get("code"),
    }
    return [(title, str(value)) for title, value in rows.items() if value]


def _temperature(calibration: Mapping[str, float]) -> str:
    return (
        f"{calibration['temperature']:.3g}; it changes the expected calibration error on the validation images "
        f"from {calibration['ece_before']:.3f} to {calibration['ece_after']:.3f}"
    )
