"""The gate compares on the same rows, and asks the model in use only where that may change the verdict."""

from typing import Any

import pytest

from registry import quality_gate as gate
from registry.batch_transform import TransformError
from registry.model_registry import Version
from registry.quality_gate import judge_job
from tests.unit.registry.versions import make_version
from tests.unit.stacks import make_stack
from tests.unit.staging.manifests import make_manifest
from training.follow import TrainingJob

MANIFEST = make_manifest()
OTHERS = make_manifest(classes=("apple", "pear"))
GOOD, BAD = dict.fromkeys("abcdefghij", True), {**dict.fromkeys("abcdefghij", True), **dict.fromkeys("abcdef", False)}


def make_in_use(rows: str, **properties: str) -> Version:
    known = make_version(1).properties
    return make_version(
        1, properties={**known, "validation_rows": rows, "classes_md5": MANIFEST.classes_md5, **properties}
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which model was asked how: what the candidate got right is `BAD`, and the one in use `GOOD`."""
    calls: list[str] = []

    def fetch(url: str, **clients: Any) -> dict[str, bool]:
        calls.append(f"fetch {url}")
        return BAD if url == "candidate" else GOOD

    def ask(*arguments: Any) -> dict[str, bool]:
        calls.append("transform")
        return GOOD

    monkeypatch.setattr(gate, "fetch_right", fetch)
    monkeypatch.setattr(gate, "asked_right", ask)
    monkeypatch.setattr("boto3.client", lambda *arguments, **named: None)
    return calls


def judged(in_use: Version | None, bar: float, best_of: int = 1) -> Any:
    job = TrainingJob("job", "arn", "candidate", 1, {"validation": {"correct": 4, "n": 10}}, best_of)
    return judge_job(make_stack(minimum_accuracy=bar), job, MANIFEST, in_use)[1]


def test_on_the_same_rows_both_jobs_answers_are_compared(asked: list[str]) -> None:
    verdict = judged(make_in_use(MANIFEST.fingerprint("validation")), 0.3)
    assert not verdict.passed
    assert "only it told 0 right, only the model in use 6, p=0.016" in verdict.reason
    assert "transform" not in asked


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("bar", [0.3, 0.5], ids=["passed", "below the bar"])
def test_the_best_of_a_search_is_told_as_such(bar: float) -> None:
    assert "best of 6 judged on the rows it was chosen by" in judged(None, bar, best_of=6).reason
    assert "best of" not in judged(None, bar).reason


def test_on_other_rows_the_model_in_use_answers_for_these(asked: list[str]) -> None:
    verdict = judged(make_in_use("other"), 0.3)
    assert not verdict.passed
    assert "only the model in use 6" in verdict.reason
    assert asked[-1] == "transform"


def test_below_the_bar_the_model_in_use_is_not_asked(asked: list[str]) -> None:
    assert "below the bar" in judged(make_in_use("other"), 0.5).reason
    assert asked == ["fetch candidate"]


@pytest.mark.usefixtures("asked")
def test_a_model_of_other_classes_is_not_compared() -> None:
    verdict = judged(make_in_use("other", classes_md5=OTHERS.classes_md5), 0.3)
    assert verdict.passed
    assert "judged on other rows" in verdict.reason


@pytest.mark.usefixtures("asked")
def test_where_the_batch_fails_the_reason_says_that_nothing_was_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    def fails(*arguments: Any) -> dict[str, bool]:
        raise TransformError("no quota")

    monkeypatch.setattr(gate, "asked_right", fails)

    # WHEN
    verdict = judged(make_in_use("other"), 0.3)

    # THEN
    assert "judged on other rows" in verdict.reason
    assert "no quota" in capsys.readouterr().out
