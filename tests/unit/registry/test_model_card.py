"""A registered model has a model card that conforms to SageMaker's schema."""

import json
import re
from types import SimpleNamespace
from typing import Any

from registry.comparison import Score
from registry.model_card import Card, model_card, to_markdown
from registry.predictions import ValidationPrediction
from staging.manifest import Manifest, ReviewedImages, SplitSize
from tests.unit.staging.manifests import make_manifest
from training.follow import TrainingJob

JOB = TrainingJob(
    "vehicles-1",
    "arn:job",
    "s3://bucket/models/vehicles-1/output/model.tar.gz",
    60,
    {"calibration": {"ece_after": 0.0312}},
)
# 9 of 10 bicycles, 7 of 10 motorcycles, and 1 of 2 reviewed images of live traffic are classified correctly
PREDICTIONS = {
    **{f"bicycle-{number}.png": ValidationPrediction(0, int(number == 0)) for number in range(10)},
    **{f"motorcycle-{number}.png": ValidationPrediction(1, int(number > 2)) for number in range(10)},
    "live-1.png": ValidationPrediction(0, 0),
    "live-2.png": ValidationPrediction(0, 1),
}
REVIEWED = ReviewedImages(
    splits={"train": SplitSize(count=1, per_class={"bicycle": 1, "motorcycle": 0})}, fingerprint="ab" * 32
)


def make_card(
    predictions: dict[str, ValidationPrediction] | None = PREDICTIONS,
    manifest: Manifest | None = None,
    best_of: int = 1,
) -> Card:
    """Return the model card of a training job.

    Parameters
    ----------
    predictions : predictions on the validation images, or None if the job has written none
    manifest : manifest of the training data
    best_of : number of models from which a tuning job selected this model
    """
    request: Any = SimpleNamespace(
        algorithm=SimpleNamespace(name="pytorch"),
        config=SimpleNamespace(bucket="bucket", image="image:1"),
        fingerprint="abc",
        hyperparameters={"epochs": "2", "classes": "bicycle,motorcycle"},
        manifest=manifest or make_manifest(reviewed=REVIEWED),
    )
    return model_card(request, JOB, Score(16, 20, "images", best_of=best_of), "good enough", "abc", predictions)


def metrics(card: Card, evaluation: int, group: str) -> dict[str, Any]:
    """Return the metrics of a metric group by name; `evaluation` is the index of the evaluation in the card."""
    groups = card["evaluation_details"][evaluation]["metric_groups"]
    (found,) = (each["metric_data"] for each in groups if each["name"] == group)
    return {metric["name"]: metric for metric in found}


def test_card_has_only_fields_of_the_schema() -> None:
    # GIVEN the SDK's types, which omit unknown fields and check lengths
    from sagemaker.core.shapes.model_card_shapes import ModelCardContent

    # WHEN
    card = make_card()
    parsed = ModelCardContent.model_validate(card).model_dump(mode="json", exclude_unset=True)

    # THEN
    assert parsed == card
    # in the model card of a model package, this section allows no other fields
    assert set(card["model_overview"]) <= {"model_creator", "model_artifact"}
    content = json.dumps(card)
    assert re.fullmatch(".{0,100000}", content)


def test_card_has_metrics_with_confidence_intervals_for_each_class() -> None:
    # WHEN
    card = make_card()

    # THEN
    assert metrics(card, 0, "Accuracy")["accuracy"]["value"] == 0.8
    assert metrics(card, 0, "Accuracy")["accuracy"]["notes"] == "16 of 20, 95 % interval 0.584 to 0.919"
    recall, precision = metrics(card, 0, "Recall by class"), metrics(card, 0, "Precision by class")
    assert recall["bicycle"]["notes"] == "9 of 10, 95 % interval 0.596 to 0.982"
    assert precision["bicycle"]["notes"].startswith("9 of 12,")
    assert metrics(card, 0, "Confusion matrix")["confusion matrix"]["value"] == [[9, 1], [3, 7]]
    assert metrics(card, 0, "Calibration")["expected calibration error"]["value"] == 0.0312
    # the reviewed images of live traffic have separate metrics, and a class without examples has no recall
    assert metrics(card, 1, "Accuracy")["accuracy"]["notes"].startswith("1 of 2,")
    assert set(metrics(card, 1, "Recall by class")) == {"bicycle"}


def test_card_describes_the_training_data_and_how_the_model_was_selected() -> None:
    # WHEN
    content = json.dumps(make_card(best_of=6))

    # THEN
    for expected in (
        "CIFAR-100 and 1 reviewed images",
        "train 2 (of these 1 reviewed), validation 2, test 2",
        "s3://bucket/models/vehicles-1/output/manifest.json",
        "best of 6",
        "ab" * 32,
        "good enough",
    ):
        assert expected in content
    assert "best of" not in json.dumps(make_card())
    assert "synthetic" in json.dumps(make_card(manifest=make_manifest(synthetic=True)))


def test_card_without_predictions_has_only_accuracy_and_calibration() -> None:
    card = make_card(predictions=None, manifest=make_manifest())
    (evaluation,) = card["evaluation_details"]
    assert [group["name"] for group in evaluation["metric_groups"]] == ["Accuracy", "Calibration"]


def test_card_for_more_than_20_classes_has_no_confusion_matrix() -> None:
    # GIVEN
    classes = tuple(f"class-{number}" for number in range(21))
    predictions = {f"{number}.png": ValidationPrediction(number, number) for number in range(21)}

    # WHEN
    card = make_card(predictions, make_manifest(classes=classes))

    # THEN
    groups = [group["name"] for group in card["evaluation_details"][0]["metric_groups"]]
    assert groups == ["Accuracy", "Calibration", "Precision by class", "Recall by class"]


def test_markdown_has_sections_properties_and_metrics() -> None:
    # WHEN
    text = to_markdown("Model card of v3", json.dumps(make_card()))

    # THEN
    assert text.startswith("# Model card of v3\n\n## Model overview\n")
    for line in (
        "- Model creator: make train, commit abc",
        "- Hyper parameters: classes=bicycle,motorcycle, epochs=2",
        "## Validation images of the source",
        "| accuracy | 0.8 | 16 of 20, 95 % interval 0.584 to 0.919 |",
        "| bicycle | 9 | 1 |",
        "## Reviewed images of live traffic",
        "- Seed: 0",
    ):
        assert line in text.splitlines(), line
    assert "{" not in text
