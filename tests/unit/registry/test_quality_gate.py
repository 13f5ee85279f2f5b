"""The quality gate compares a candidate's validation accuracy with a minimum and with the model in use."""

from typing import Any

import pytest

from registry import quality_gate
from registry.batch_transform import TransformJobError
from registry.comparison import Score
from registry.model_registry import Version
from registry.quality_gate import GateResult, QualityGate, decide
from tests.unit.registry.versions import make_version
from tests.unit.staging.manifests import make_manifest
from training.follow import TrainingJob

MANIFEST = make_manifest()
OTHER_CLASSES = make_manifest(classes=("apple", "pear"))
GOOD = dict.fromkeys("abcdefghij", True)
BAD = {**GOOD, **dict.fromkeys("abcdef", False)}


def make_score(correct: str, validation_set: str = "a") -> Score:
    """Return the score on validation images.

    Parameters
    ----------
    correct : a digit for each image: 1 if it was classified correctly, 0 if not
    validation_set : fingerprint of the validation images
    """
    results = {f"{number}.png": each == "1" for number, each in enumerate(correct)}
    return Score(sum(results.values()), len(results), validation_set, results)


def counts(gained: int, lost: int, p_value: str) -> str:
    """Return the part of a reason that counts the images that only one of the models classified correctly."""
    return f"only the candidate is correct on {gained}, only the model in use on {lost}, p={p_value}"


CANDIDATE = "1" * 90 + "0" * 10


@pytest.mark.parametrize(
    ("incumbent", "passed", "reason"),
    [
        (None, True, "no registered model is in use"),
        (make_score("1" * 80 + "0" * 20), True, counts(10, 0, "1.000")),
        (make_score(CANDIDATE), True, counts(0, 0, "1.000")),
        (make_score("1" * 94 + "0" * 6), True, counts(0, 4, "0.062")),
        (make_score("1" * 95 + "0" * 5), False, "significantly worse than the model in use (0.950) on the same images"),
        # also worse by five percentage points, but not significantly, because the models differ on more images
        (make_score("0" * 5 + "1" * 95), True, counts(5, 10, "0.151")),
        (make_score("1" * 100, "b"), True, "which was validated on other images"),
        (Score(100, 100, "a"), True, "predictions per image are missing"),
        (make_score("1" * 99), True, "predictions per image are missing"),
    ],
    ids=[
        "no model in use",
        "better",
        "equal",
        "not significantly worse",
        "significantly worse",
        "different mistakes",
        "other images",
        "no predictions",
        "missing image",
    ],
)
def test_candidate_fails_only_if_it_is_significantly_worse_than_the_model_in_use(
    incumbent: Score | None, passed: bool, reason: str
) -> None:
    # WHEN
    result = decide(make_score(CANDIDATE), incumbent, 0.9)

    # THEN
    assert result.passed is passed
    assert reason in result.reason
    assert "0.900" in result.reason


def test_candidate_below_the_minimum_accuracy_fails_even_if_it_is_better_than_the_model_in_use() -> None:
    result = decide(make_score(CANDIDATE), make_score("0" * 100), 0.91)
    assert not result.passed
    assert "below the minimum of 0.91" in result.reason


def make_live_score(source: str, live: str) -> Score:
    """Return the score on validation images of the data source and on reviewed images of live traffic.

    Both parameters have a digit for each image: 1 if it was classified correctly, 0 if not.
    """
    results = {f"{number}.png": each == "1" for number, each in enumerate(source)}
    results |= {f"live-{number}.png": each == "1" for number, each in enumerate(live)}
    return Score(sum(results.values()), len(results), "a", results)


@pytest.mark.parametrize(
    ("candidate", "incumbent", "passed", "reason"),
    [
        (
            ("1" * 95 + "0" * 5, "1" * 20),
            ("1" * 95 + "0" * 5, "0" * 20),
            True,
            f"on 20 reviewed images of live traffic: "
            f"1.000, not significantly worse than the model in use (0.000): {counts(20, 0, '1.000')}",
        ),
        (
            ("1" * 100, "0" * 20),
            ("0" * 10 + "1" * 90, "1" * 10 + "0" * 10),
            False,
            "on 20 reviewed images of live "
            f"traffic: 0.000, significantly worse than the model in use (0.500): {counts(0, 10, '0.001')}",
        ),
        # better predictions on live traffic do not compensate for worse predictions on the images of the source
        (
            ("1" * 90 + "0" * 10, "1" * 50),
            ("1" * 100, "0" * 50),
            False,
            "validation accuracy 0.900 (0.826 to 0.945, n=100), significantly worse than the model in use (1.000)",
        ),
        (
            ("1" * 100, "0" * 9),
            ("1" * 100, "1" * 9),
            True,
            "not compared on 9 reviewed images of live traffic, because at least 10 are needed",
        ),
        # the transform job of the model in use could not classify one of the images
        (
            ("1" * 100, "0" * 20),
            ("1" * 100, "1" * 19),
            True,
            "not compared on 20 reviewed images of live traffic, because predictions per image are missing",
        ),
    ],
    ids=["better", "worse", "worse on the source", "too few images", "missing prediction"],
)
def test_models_are_compared_separately_on_source_images_and_on_reviewed_images(
    candidate: tuple[str, str], incumbent: tuple[str, str], passed: bool, reason: str
) -> None:
    result = decide(make_live_score(*candidate), make_live_score(*incumbent), 0.8)
    assert result.passed is passed
    assert reason in result.reason


def test_minimum_accuracy_applies_only_to_images_of_the_source() -> None:
    assert decide(make_live_score("1" * 9 + "0", "0" * 90), None, 0.9).passed
    assert not decide(make_live_score("1" * 8 + "0" * 2, "1" * 90), None, 0.9).passed


def make_in_use(validation_set: str, **properties: str) -> Version:
    """Return the version in use, which was validated on the images with this fingerprint."""
    known = make_version(1).properties
    changes = {"validation_set": validation_set, "classes_md5": MANIFEST.classes_md5, **properties}
    return make_version(1, properties={**known, **changes})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list to which each source of predictions is added when the gate uses it.

    The results of the candidate are `BAD`, and those of the model in use are `GOOD`.
    """
    calls: list[str] = []

    def read(url: str, **clients: Any) -> dict[str, bool]:
        calls.append(f"read {url}")
        return BAD if url == "candidate" else GOOD

    def predict(*arguments: Any) -> dict[str, bool]:
        calls.append("transform")
        return GOOD

    monkeypatch.setattr(quality_gate, "read_validation_results", read)
    monkeypatch.setattr(QualityGate, "predict_validation", predict)
    return calls


def check(in_use: Version | None, minimum_accuracy: float, best_of: int = 1) -> GateResult:
    """Return the gate's result for a candidate with a validation accuracy of 0.4, the best of `best_of` models."""
    job = TrainingJob("job", "arn", "candidate", 1, {"validation": {"correct": 4, "n": 10}}, best_of)
    unused: Any = None
    return QualityGate(minimum_accuracy, unused, sagemaker=None, s3=None, logs=None).check(job, MANIFEST, in_use)[1]


def test_stored_predictions_are_compared_if_both_models_were_validated_on_the_same_images(calls: list[str]) -> None:
    result = check(make_in_use(MANIFEST.fingerprint("validation")), 0.3)
    assert not result.passed
    assert "only the candidate is correct on 0, only the model in use on 6, p=0.016" in result.reason
    assert "transform" not in calls


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("minimum_accuracy", [0.3, 0.5], ids=["passes", "fails"])
def test_reason_says_that_a_tuning_job_selected_the_candidate(minimum_accuracy: float) -> None:
    assert "best of 6 models, selected on the same images" in check(None, minimum_accuracy, best_of=6).reason
    assert "best of" not in check(None, minimum_accuracy).reason


def test_model_in_use_classifies_new_validation_images_in_a_transform_job(calls: list[str]) -> None:
    result = check(make_in_use("other"), 0.3)
    assert not result.passed
    assert "only the model in use on 6" in result.reason
    assert calls[-1] == "transform"


def test_no_transform_job_starts_if_the_candidate_is_below_the_minimum(calls: list[str]) -> None:
    assert "below the minimum" in check(make_in_use("other"), 0.5).reason
    assert calls == ["read candidate"]


@pytest.mark.usefixtures("calls")
def test_candidate_is_not_compared_with_a_model_for_other_classes() -> None:
    result = check(make_in_use("other", classes_md5=OTHER_CLASSES.classes_md5), 0.3)
    assert result.passed
    assert "validated on other images" in result.reason


@pytest.mark.usefixtures("calls")
def test_candidate_is_not_compared_if_the_transform_job_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    def fail(*arguments: Any) -> dict[str, bool]:
        raise TransformJobError("no quota")

    monkeypatch.setattr(QualityGate, "predict_validation", fail)

    # WHEN
    result = check(make_in_use("other"), 0.3)

    # THEN
    assert "validated on other images" in result.reason
    assert "no quota" in capsys.readouterr().out
