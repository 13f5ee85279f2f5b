"""The two-sample tests give the results of SciPy, and the expected p-values."""

import numpy as np
import pytest
import scipy

from training.container.classifier.two_sample_tests import (
    PERMUTATIONS,
    class_mix,
    energy_distance,
    holm,
    kolmogorov_smirnov,
    population_stability_index,
)


def draw_normal(size: int, mean: float = 0.0, *, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return `size` normally distributed numbers with a standard deviation of 1."""
    return np.random.default_rng((seed, size)).normal(mean, size=size)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 7), (30, 30), (100, 200), (200, 999)])
@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_kolmogorov_smirnov_equals_scipys_exact_test(n: int, m: int, shift: float) -> None:
    # GIVEN
    first, second = draw_normal(n), draw_normal(m, shift, seed=1)

    # WHEN
    statistic, p_value = kolmogorov_smirnov(first, second)

    # THEN
    expected = scipy.stats.ks_2samp(first, second, method="exact")
    assert statistic == pytest.approx(expected.statistic)
    assert p_value == pytest.approx(expected.pvalue, abs=1e-10)


def test_kolmogorov_smirnov_of_constant_samples_is_not_significant() -> None:
    assert kolmogorov_smirnov(np.ones(10), np.ones(20)) == (0.0, 1.0)


def test_population_stability_index_is_the_sum_of_both_kl_divergences() -> None:
    # GIVEN
    baseline, window = np.array([30, 50, 20]), np.array([10, 40, 150])

    # WHEN
    index = population_stability_index(baseline, window)

    # THEN
    shares = baseline + 0.5, window + 0.5
    assert index == pytest.approx(scipy.stats.entropy(*shares) + scipy.stats.entropy(*reversed(shares)))


def test_population_stability_index_is_finite_for_an_empty_bin() -> None:
    assert 0.2 < population_stability_index(np.array([50, 50, 0]), np.array([100, 0, 100])) < 10


def test_energy_distance_in_one_dimension_equals_scipys() -> None:
    # GIVEN
    first, second = draw_normal(50), draw_normal(80, 0.5, seed=1)

    # WHEN
    statistic, _ = energy_distance(first[:, None], second[:, None], np.random.default_rng(0))

    # THEN
    assert statistic == pytest.approx(scipy.stats.energy_distance(first, second) ** 2)  # SciPy returns the square root


def test_energy_distance_p_value_equals_scipys_permutation_test() -> None:
    # GIVEN
    first, second = draw_normal(12), draw_normal(15, 0.9, seed=1)

    # WHEN
    _, p_value = energy_distance(first[:, None], second[:, None], np.random.default_rng(0))

    # THEN
    expected = scipy.stats.permutation_test(
        (first, second),
        scipy.stats.energy_distance,
        alternative="greater",
        n_resamples=1999,
        rng=np.random.default_rng(1),
    )
    assert p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_energy_distance_detects_a_shift_in_one_of_four_dimensions() -> None:
    # GIVEN
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(60, 4)), generator.normal(size=(60, 4))
    second[:, 2] += 3

    # WHEN
    _, p_value = energy_distance(first, second, generator)

    # THEN
    assert p_value == 1 / (PERMUTATIONS + 1)


def test_energy_distance_of_equal_samples_is_not_significant() -> None:
    same = np.ones((10, 3))

    assert energy_distance(same, same, np.random.default_rng(0)) == pytest.approx((0.0, 1.0))


def test_energy_distance_p_values_are_uniform_if_both_samples_have_the_same_distribution() -> None:
    # GIVEN
    generator = np.random.default_rng(3)

    # WHEN
    p_values = [
        energy_distance(generator.normal(size=(20, 2)), generator.normal(size=(30, 2)), generator)[1]
        for _ in range(200)
    ]

    # THEN
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("counts", [([50, 50], [120, 80]), ([3, 0, 30], [1, 5, 25]), ([5, 5, 5, 5], [9, 1, 5, 5])])
def test_class_mix_equals_scipys_permutation_test(counts: tuple[list[int], list[int]]) -> None:
    # GIVEN
    first, second = map(np.array, counts)

    # WHEN
    statistic, p_value = class_mix(first, second, np.random.default_rng(0))

    # THEN
    expected = scipy.stats.chi2_contingency(counts, correction=False)
    assert statistic == pytest.approx(expected.statistic)
    resampled = scipy.stats.chi2_contingency(
        counts, correction=False, method=scipy.stats.PermutationMethod(n_resamples=4999, rng=np.random.default_rng(1))
    )
    assert p_value == pytest.approx(resampled.pvalue, abs=0.03)


def test_class_mix_ignores_a_class_that_neither_sample_contains() -> None:
    assert class_mix(np.array([9, 0, 1]), np.array([1, 0, 9]), np.random.default_rng(0)) == class_mix(
        np.array([9, 1]), np.array([1, 9]), np.random.default_rng(0)
    )


def test_class_mix_of_samples_with_one_class_is_not_significant() -> None:
    assert class_mix(np.array([7, 0]), np.array([9, 0]), np.random.default_rng(0)) == (0.0, 1.0)


def test_holm_multiplies_by_the_number_of_remaining_tests_and_takes_the_running_maximum() -> None:
    # 0.04 x 2 is less than 0.03 x 3, the adjusted p-value of the test before
    assert holm([0.03, 0.001, 0.04, 0.9]) == pytest.approx([0.09, 0.004, 0.09, 0.9])


def test_holm_returns_no_p_value_above_1() -> None:
    assert holm([0.8, 0.7]) == [1.0, 1.0]
