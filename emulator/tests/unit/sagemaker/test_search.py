"""What a tuning job tries: within its ranges, as its strategy has it, and learned from what was told."""

from typing import Any

import pytest
from sagelocal.services.sagemaker.search import RangeError, Search

RATE = {"Name": "rate", "MinValue": "0.001", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
SIZE = {"Name": "size", "MinValue": "2", "MaxValue": "5"}
KIND = {"Name": "kind", "Values": ["sgd", "adam"]}
OTHER = {"Name": "other", "Values": ["a", "b", "c"]}


def config(strategy: str = "Random", seed: int | None = 7, kind: str = "Maximize", **ranges: Any) -> dict[str, Any]:
    return {
        "Strategy": strategy,
        "RandomSeed": seed,
        "HyperParameterTuningJobObjective": {"Type": kind, "MetricName": "m"},
        "ParameterRanges": ranges,
    }


def test_what_is_tried_lies_within_its_range() -> None:
    # GIVEN
    search = Search(
        config(
            ContinuousParameterRanges=[
                RATE,
                {"Name": "late", "MinValue": "0.5", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
            ],
            IntegerParameterRanges=[SIZE],
            CategoricalParameterRanges=[KIND],
        )
    )

    # WHEN
    tried = [search.suggest(str(number)) for number in range(50)]

    # THEN
    assert all(0.001 <= float(each["rate"]) <= 0.1 for each in tried)
    assert all(0.5 <= float(each["late"]) <= 0.999 for each in tried)
    assert {each["size"] for each in tried} == {"2", "3", "4", "5"}
    assert {each["kind"] for each in tried} == {"sgd", "adam"}
    assert sum(float(each["rate"]) < 0.01 for each in tried) in range(15, 36)  # half of its orders of magnitude
    assert search.size is None


def test_the_same_seed_tries_the_same() -> None:
    first, second = (Search(config(ContinuousParameterRanges=[RATE])) for _ in range(2))

    assert [first.suggest(str(n)) for n in range(5)] == [second.suggest(str(n)) for n in range(5)]


def test_a_grid_is_gone_through_once() -> None:
    # GIVEN
    search = Search(config("Grid", CategoricalParameterRanges=[KIND, OTHER]))

    # WHEN
    tried = {tuple(search.suggest(str(number)).items()) for number in range(6)}

    # THEN
    assert search.size == 6
    assert len(tried) == 6


@pytest.mark.parametrize(("kind", "best"), [("Maximize", 0.1), ("Minimize", 0.001)])
def test_bayesian_search_comes_nearer_to_what_was_good(kind: str, best: float) -> None:
    # GIVEN the objective is the rate itself, and some jobs failed
    search = Search(config("Bayesian", kind=kind, ContinuousParameterRanges=[{**RATE, "ScalingType": "Linear"}]))

    # WHEN
    rates = []
    for number in range(40):
        rates.append(float(search.suggest(str(number))["rate"]))
        search.tell(str(number), None if number == 3 else rates[-1])

    # THEN
    late = sum(abs(rate - best) for rate in rates[-10:]) / 10
    assert late < 0.025  # half of what drawing would come to


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (config("Hyperband", CategoricalParameterRanges=[KIND]), "no strategy Hyperband"),
        (config("Grid", IntegerParameterRanges=[SIZE]), "only supported for categorical"),
        (config(), "at least one range"),
        (config(IntegerParameterRanges=[{**SIZE, "MaxValue": "2"}]), "must be less"),
        (config(ContinuousParameterRanges=[{**RATE, "ScalingType": "Wild"}]), "must be one of"),
        (config(ContinuousParameterRanges=[{**RATE, "MinValue": "0"}]), "greater than 0"),
        (config(IntegerParameterRanges=[{**SIZE, "ScalingType": "ReverseLogarithmic"}]), "from 0 to less than 1"),
    ],
    ids=["strategy", "grid of numbers", "nothing", "empty", "scale", "logarithm of 0", "reverse of whole numbers"],
)
def test_what_cannot_be_searched_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(RangeError, match=reason):
        Search(given)
