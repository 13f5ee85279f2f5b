"""Tests of the quality gate."""

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
    """Return a score on images that were classified correctly (1) or not (0)."""
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
        # also five points worse, but the models differ on more images: the difference is not significant
        (make_score("0" * 5 + "1" * 95), True, counts(5, 10, "0.151")),
        (make_score("1" * 100, "b"), True, "which was validated on other images"),
        (Score(100, 100, "a"), True, "predictions per image are missing"),
        (make_score("1" * 99), True, "predictions per image are missing"),
    ],
    ids=["first", "better", "equal", "chance", "worse", "differing", "other images", "no predictions", "missing image"],
)
def test_model_is_compared_with_the_one_in_use(incumbent: Score | None, passed: bool, reason: str) -> None:
    # WHEN
    result = decide(make_score(CANDIDATE), incumbent, 0.9)

    # THEN
    assert result.passed is passed
    assert reason in result.reason
    assert "0.900" in result.reason


def test_model_below_minimum_fails_even_if_better() -> None:
    result = decide(make_score(CANDIDATE), make_score("0" * 100), 0.91)
    assert not result.passed
    assert "below the minimum of 0.91" in result.reason


def make_live_score(source: str, live: str) -> Score:
    """Return a score on images of the source and on reviewed images of live traffic."""
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
        # gains on live traffic do not make up for losses on the images of the source
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
    ids=["better", "worse", "worse on the source", "few", "missing"],
)
def test_models_are_compared_on_source_images_and_on_reviewed_images(
    candidate: tuple[str, str], incumbent: tuple[str, str], passed: bool, reason: str
) -> None:
    result = decide(make_live_score(*candidate), make_live_score(*incumbent), 0.8)
    assert result.passed is passed
    assert reason in result.reason


def test_minimum_applies_to_images_of_the_source() -> None:
    assert decide(make_live_score("1" * 9 + "0", "0" * 90), None, 0.9).passed
    assert not decide(make_live_score("1" * 8 + "0" * 2, "1" * 90), None, 0.9).passed


def make_in_use(validation_set: str, **properties: str) -> Version:
    known = make_version(1).properties
    changes = {"validation_set": validation_set, "classes_md5": MANIFEST.classes_md5, **properties}
    return make_version(1, properties={**known, **changes})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record where the gate gets predictions. The candidate's results are `BAD`, those of the model in use `GOOD`."""
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
    job = TrainingJob("job", "arn", "candidate", 1, {"validation": {"correct": 4, "n": 10}}, best_of)
    unused: Any = None
    return QualityGate(minimum_accuracy, unused, sagemaker=None, s3=None, logs=None).check(job, MANIFEST, in_use)[1]


def test_predictions_of_both_jobs_are_compared_on_same_images(calls: list[str]) -> None:
    result = check(make_in_use(MANIFEST.fingerprint("validation")), 0.3)
    assert not result.passed
    assert "only the candidate is correct on 0, only the model in use on 6, p=0.016" in result.reason
    assert "transform" not in calls


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("minimum_accuracy", [0.3, 0.5], ids=["passes", "fails"])
def test_reason_reports_selection_by_tuning_job(minimum_accuracy: float) -> None:
    assert "best of 6 models, selected on the same images" in check(None, minimum_accuracy, best_of=6).reason
    assert "best of" not in check(None, minimum_accuracy).reason


def test_model_in_use_is_scored_on_new_images(calls: list[str]) -> None:
    result = check(make_in_use("other"), 0.3)
    assert not result.passed
    assert "only the model in use on 6" in result.reason
    assert calls[-1] == "transform"


def test_model_below_minimum_starts_no_transform_job(calls: list[str]) -> None:
    assert "below the minimum" in check(make_in_use("other"), 0.5).reason
    assert calls == ["read candidate"]


@pytest.mark.usefixtures("calls")
def test_model_with_other_classes_is_not_compared() -> None:
    result = check(make_in_use("other", classes_md5=OTHER_CLASSES.classes_md5), 0.3)
    assert result.passed
    assert "validated on other images" in result.reason


@pytest.mark.usefixtures("calls")
def test_failed_transform_job_skips_comparison(
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
