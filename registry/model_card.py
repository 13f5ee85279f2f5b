"""The model card of a registered version: intended use, training data, metrics with intervals, and limitations.

SageMaker stores the card with the model package, as JSON in the schema of a model package's model card:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.s3 import sibling_url
from registry.comparison import Score, wilson_interval
from registry.predictions import ValidationPrediction
from training.container.classifier.file_names import is_live
from training.follow import TrainingJob
from training.job_config import TrainingRequest

MAX_MATRIX = 20  # maximum number of rows, and of columns, of a matrix in the schema
# Maximum lengths in the schema
MAX_OBSERVATION, MAX_NOTES, MAX_TEXT, MAX_NAME, MAX_VALUE = 2096, 1024, 2048, 63, 255

Predictions = Mapping[str, ValidationPrediction]
Card = dict[str, Any]


def model_card(
    request: TrainingRequest, job: TrainingJob, score: Score, reason: str, code: str, predictions: Predictions | None
) -> Card:
    """Return the content of the model card of a trained model.

    Parameters
    ----------
    score : score on the validation images of the source, without reviewed images of live traffic
    reason : reason for the result of the quality gate
    code : commit of the code
    predictions : predictions for the validation images, by the image's name; None if the algorithm writes none
    """
    manifest, config = request.manifest, request.config
    bucket = f"s3://{config.bucket}"
    return {
        "model_overview": {"model_creator": f"make train, commit {code}", "model_artifact": [job.model_data_url]},
        "intended_uses": intended_uses(request),
        "training_details": {
            "training_observations": (
                f"Data: {manifest.description}. Images: {image_counts(request)}. "
                f"{'The project drew the images of the source. ' if manifest.synthetic else ''}"
                "The dataset below is the manifest, which has the MD5 of every image."
            )[:MAX_NOTES],
            "training_job_details": {
                "training_arn": job.arn,
                "training_datasets": [sibling_url(job.model_data_url, "manifest.json")],
                "hyper_parameters": [
                    {"name": name, "value": value[:MAX_VALUE]}
                    for name, value in sorted(request.hyperparameters.items())
                ],
                "training_environment": {"container_image": [config.image]},
            },
        },
        "evaluation_details": [
            {
                "name": "Validation images of the source",
                "evaluation_observation": reason[:MAX_OBSERVATION],
                "datasets": [f"{bucket}/validation/"],
                "metric_groups": [
                    {"name": "Accuracy", "metric_data": [proportion("accuracy", score.correct, score.n)]},
                    *calibration(job.metrics),
                    *class_groups(manifest.classes, predictions or {}, live=False),
                ],
            },
            *live_evaluation(manifest.classes, predictions or {}, f"{bucket}/validation/"),
        ],
        "additional_information": {
            "caveats_and_recommendations": caveats(request, score),
            "custom_details": {
                "algorithm": request.algorithm.name,
                "classes": ", ".join(manifest.classes)[:MAX_NOTES],
                "seed": str(manifest.seed),
                "source md5": manifest.source_md5,
                **({"reviewed images sha256": manifest.reviewed.fingerprint} if manifest.reviewed else {}),
                "request fingerprint": request.fingerprint,
            },
        },
    }


def intended_uses(request: TrainingRequest) -> dict[str, str]:
    """Return the purpose of the model, its intended uses, and the conditions that reduce its accuracy."""
    side = request.manifest.image_side
    classes = ", ".join(request.manifest.classes)
    return {
        "purpose_of_model": "Recognise the vehicle in a driver's photograph, so that nearby and distant orders are "
        "assigned to suitable vehicles.",
        "intended_uses": (
            "Photographs of one vehicle. The model always predicts one of its classes, also for other images. "
            "If the confidence is below the threshold, the workflow does not use the prediction, and passes the "
            "photograph to a person. "
            "The model is meant neither to identify people or individual vehicles, nor for decisions about people. "
            f"Classes: {classes}"
        )[:MAX_TEXT],
        "factors_affecting_model_efficiency": f"Images are resized to {side} x {side} pixels. Light, blur, camera and "
        "class mix that differ from the training images reduce the accuracy; `make data-drift` shows such differences.",
    }


def image_counts(request: TrainingRequest) -> str:
    """Return a text with the number of images in each split, and how many of them are reviewed images."""
    manifest = request.manifest
    added = manifest.reviewed.splits if manifest.reviewed else {}
    return ", ".join(
        f"{split} {size.count}" + (f" (of these {added[split].count} reviewed)" if split in added else "")
        for split, size in manifest.splits.items()
    )


def caveats(request: TrainingRequest, score: Score) -> str:
    """Return sentences about the limitations of the metrics."""
    texts = [
        f"The accuracy was measured on {score.n} images; the intervals are 95 % Wilson intervals.",
        "Confidence is calibrated on the validation images, so the calibration error on these images is cross-fitted.",
        "Production images have no labels: review a sample with `make review`, and see `make live` for live traffic.",
    ]
    if score.best_of > 1:
        texts.append(f"The model is the best of {score.best_of} on these images, so its accuracy is biased upwards.")
    if request.manifest.synthetic:
        texts.append("Figures on synthetic images do not predict the accuracy on photographs.")
    if request.manifest.reviewed:
        texts.append("Most reviewed images had a low confidence, so the accuracy on them is not that of all traffic.")
    return " ".join(texts)


def live_evaluation(classes: Sequence[str], predictions: Predictions, dataset: str) -> Iterator[Card]:
    """Yield the metrics on reviewed images of live traffic, if there are any such images."""
    live = [each for name, each in predictions.items() if is_live(name)]
    if live:
        correct = sum(each.is_correct for each in live)
        yield {
            "name": "Reviewed images of live traffic",
            "datasets": [dataset],
            "metric_groups": [
                {"name": "Accuracy", "metric_data": [proportion("accuracy", correct, len(live))]},
                *class_groups(classes, predictions, live=True),
            ],
        }


def calibration(metrics: Mapping[str, Any]) -> Iterator[Card]:
    """Yield the expected calibration error, if the training job measured it."""
    if found := metrics.get("calibration"):
        notes = "15 bins of equal width, cross-fitted on the validation images"
        error = {"name": "expected calibration error", "type": "number", "value": found["ece_after"], "notes": notes}
        yield {"name": "Calibration", "metric_data": [error]}


def class_groups(classes: Sequence[str], predictions: Predictions, *, live: bool) -> Iterator[Card]:
    """Yield precision and recall of each class, and the confusion matrix if the schema allows its size.

    Parameters
    ----------
    live : True for the reviewed images of live traffic, False for the images of the source
    """
    counts = Counter((each.label, each.predicted) for name, each in predictions.items() if is_live(name) == live)
    if not counts:
        return
    numbers = range(len(classes))
    for title, totals in (
        ("Precision by class", [sum(counts[label, number] for label in numbers) for number in numbers]),
        ("Recall by class", [sum(counts[number, predicted] for predicted in numbers) for number in numbers]),
    ):
        metrics = [proportion(classes[number], counts[number, number], totals[number]) for number in numbers]
        yield {"name": title, "metric_data": [metric for metric, total in zip(metrics, totals, strict=True) if total]}
    if len(classes) <= MAX_MATRIX:
        names = [name[:MAX_NAME] for name in classes]
        matrix = [[counts[label, predicted] for predicted in numbers] for label in numbers]
        confusion = {
            "name": "confusion matrix",
            "type": "matrix",
            "value": matrix,
            "x_axis_name": names,
            "y_axis_name": names,
            "notes": "rows are true classes, columns predicted classes",
        }
        yield {"name": "Confusion matrix", "metric_data": [confusion]}


def proportion(name: str, correct: int, n: int) -> Card:
    """Return a proportion with its 95 % Wilson interval as a metric of a model card."""
    low, high = wilson_interval(correct, n)
    return {
        "name": name[:MAX_VALUE],
        "type": "number",
        "value": round(correct / n, 4) if n else 0.0,
        "notes": f"{correct} of {n}, 95 % interval {low:.3f} to {high:.3f}",
    }


def to_markdown(title: str, content: str) -> str:
    """Return a model card as Markdown.

    Parameters
    ----------
    content : JSON text of the model card
    """
    return "\n".join([f"# {title}", *_sections(json.loads(content), 2)]) + "\n"


def _sections(value: Mapping[str, Any], level: int) -> Iterator[str]:
    """Yield the Markdown lines of a section: first its text, then its tables and sub-sections."""
    nested = {key: content for key, content in value.items() if isinstance(content, dict) or _is_list(content, "name")}
    for key, content in value.items():
        if key not in nested and key != "name":
            yield f"- {_title(key)}: {', '.join(map(str, content)) if isinstance(content, list) else content}"
    for key, content in nested.items():
        if key == "metric_data":
            yield from _table(content)
        elif isinstance(content, dict):
            yield from ("", f"{'#' * level} {_title(key)}", "", *_sections(content, level + 1))
        elif _is_list(content, "value"):
            settings = ", ".join(f"{each['name']}={each['value']}" for each in content)
            yield f"- {_title(key)}: {settings}"
        else:
            for each in content:
                yield from ("", f"{'#' * level} {each['name']}", "", *_sections(each, level + 1))


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _is_list(content: Any, field: str) -> bool:
    """Return whether a value is a list of objects that have the field `field`."""
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and field in content[0]


def _table(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if metrics and metrics[0]["type"] == "matrix":
        (matrix,) = metrics
        yield f"| true \\ predicted | {' | '.join(matrix['x_axis_name'])} |"
        yield "|---" * (len(matrix["x_axis_name"]) + 1) + "|"
        for name, row in zip(matrix["y_axis_name"], matrix["value"], strict=True):
            yield f"| {name} | {' | '.join(map(str, row))} |"
        return
    yield from ("| metric | value | |", "|---|---|---|")
    yield from (f"| {each['name']} | {each['value']:.4g} | {each.get('notes', '')} |" for each in metrics)
