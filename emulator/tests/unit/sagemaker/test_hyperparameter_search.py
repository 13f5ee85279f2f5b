"""Hyperparameter search of tuning jobs: ranges, strategies, random seeds, objectives and invalid configurations."""

from typing import Any

import pytest

from sagelocal.services.sagemaker.errors import InvalidRequestError
from sagelocal.services.sagemaker.hyperparameter_search import Search

RATE = {"Name": "rate", "MinValue": "0.001", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
SIZE = {"Name": "size", "MinValue": "2", "MaxValue": "5"}
KIND = {"Name": "kind", "Values": ["sgd", "adam"]}
OTHER = {"Name": "other", "Values": ["a", "b", "c"]}


def config(
    strategy: str = "Random", seed: int | None = 7, objective: str = "Maximize", **ranges: Any
) -> dict[str, Any]:
    """Return a HyperParameterTuningJobConfig."""
    return {
        "Strategy": strategy,
        "RandomSeed": seed,
        "HyperParameterTuningJobObjective": {"Type": objective, "MetricName": "m"},
        "ParameterRanges": ranges,
    }


def test_suggested_values_are_within_their_ranges() -> None:
    # GIVEN a random search with ranges of each type
    search = Search(
        config(
            ContinuousParameterRanges=[
                RATE,
                {"Name": "momentum", "MinValue": "0.5", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
            ],
            IntegerParameterRanges=[SIZE],
            CategoricalParameterRanges=[KIND],
        )
    )

    # WHEN
    trials = [search.suggest(str(number)) for number in range(50)]

    # THEN
    assert all(0.001 <= float(each["rate"]) <= 0.1 for each in trials)
    assert all(0.5 <= float(each["momentum"]) <= 0.999 for each in trials)
    assert {each["size"] for each in trials} == {"2", "3", "4", "5"}
    assert {each["kind"] for each in trials} == {"sgd", "adam"}
    assert sum(float(each["rate"]) < 0.01 for each in trials) in range(15, 36)  # about half, on a logarithmic scale
    assert search.size is None


def test_searches_with_the_same_seed_suggest_the_same_values() -> None:
    first, second = (Search(config(ContinuousParameterRanges=[RATE])) for _ in range(2))

    assert [first.suggest(str(n)) for n in range(5)] == [second.suggest(str(n)) for n in range(5)]


def test_grid_search_tries_each_combination_once() -> None:
    # GIVEN
    search = Search(config("Grid", CategoricalParameterRanges=[KIND, OTHER]))

    # WHEN
    trials = {tuple(search.suggest(str(number)).items()) for number in range(6)}

    # THEN
    assert search.size == 6
    assert len(trials) == 6


@pytest.mark.parametrize(("objective", "best"), [("Maximize", 0.1), ("Minimize", 0.001)])
def test_bayesian_search_converges_to_the_best_value(objective: str, best: float) -> None:
    # GIVEN a search for the rate, whose objective value is the rate itself
    search = Search(
        config("Bayesian", objective=objective, ContinuousParameterRanges=[{**RATE, "ScalingType": "Linear"}])
    )

    # WHEN 40 training jobs run, one of which fails
    rates = []
    for number in range(40):
        rates.append(float(search.suggest(str(number))["rate"]))
        search.record(str(number), None if number == 3 else rates[-1])

    # THEN the last ten rates are close to the best rate
    distance = sum(abs(rate - best) for rate in rates[-10:]) / 10
    assert distance < 0.025  # half of a random search's mean distance


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (config("Hyperband", CategoricalParameterRanges=[KIND]), "does not support strategy Hyperband"),
        (config("Grid", IntegerParameterRanges=[SIZE]), "only supported for categorical"),
        (config(), "at least one range"),
        (config(IntegerParameterRanges=[{**SIZE, "MaxValue": "2"}]), "must be less"),
        (config(ContinuousParameterRanges=[{**RATE, "ScalingType": "Wild"}]), "must be one of"),
        (config(ContinuousParameterRanges=[{**RATE, "MinValue": "0"}]), "greater than 0"),
        (
            config(IntegerParameterRanges=[{**SIZE, "ScalingType": "ReverseLogarithmic"}]),
            "at least 0 and MaxValue below 1",
        ),
    ],
    ids=[
        "strategy",
        "grid of numbers",
        "no range",
        "empty range",
        "scaling",
        "logarithm of 0",
        "reverse logarithm of integers",
    ],
)
def test_invalid_configuration_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRequestError, match=reason):
        Search(given)
