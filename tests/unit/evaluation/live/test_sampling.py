"""Estimates for all traffic, compared with manual computations, with SciPy, and with simulations of known accuracy."""

import numpy as np
import pytest
import scipy

from evaluation.live.evaluation import set_intervals
from evaluation.live.join import LabelledImage
from evaluation.live.live_figures import Arrays, compute_figures
from evaluation.live.sampling import Sample, audit_sample, sample_of, simple_sample_of, smallest_threshold
from evaluation.metrics import coverage_curve
from evaluation.review.selection import position
from tests.unit.evaluation.live.images import make_captures, make_image, make_prediction

THRESHOLD = 0.93


def make_sample(*strata: tuple[int, int, float], totals: tuple[float, ...]) -> Sample:
    """Return a sample of labelled images.

    Parameters
    ----------
    strata : number of correct images, number of images, and inclusion probability for each stratum
    totals : number of captured images in each stratum
    """
    correct = np.concatenate([np.arange(n) < hits for hits, n, _ in strata])
    stratum = np.repeat(np.arange(len(strata)), [n for _, n, _ in strata])
    probability = np.repeat([each for _, _, each in strata], [n for _, n, _ in strata])
    confidence = np.where(stratum == 0, 0.7, 0.95) if len(strata) > 1 else np.full(len(correct), 0.95)
    return Sample(confidence, correct, stratum, probability, np.array(totals))


def accuracy(sample: Sample) -> float:
    """Return the weighted accuracy, which is the estimate for all traffic."""
    return float(np.average(sample.correct, weights=sample.weights))


def accuracy_interval(sample: Sample) -> tuple[float, float]:
    """Return the confidence interval of the accuracy of all traffic."""
    return sample.mean_interval(sample.correct.astype(float), (1.0, 0.0))


def test_weights_of_a_stratum_add_up_to_its_number_of_captured_images() -> None:
    # GIVEN 20 captured images below the threshold, of which 10 are labelled and 6 of these correct, and 180 captured
    # images at or above the threshold, of which 10 are labelled and 9 of these correct
    sample = make_sample((6, 10, 1.0), (9, 10, 0.05), totals=(20.0, 180.0))

    # WHEN / THEN
    assert sample.weights.tolist() == [2.0] * 10 + [18.0] * 10
    assert accuracy(sample) == pytest.approx(0.1 * 0.6 + 0.9 * 0.9)


def test_weights_are_inversely_proportional_to_the_inclusion_probabilities() -> None:
    # GIVEN images of one stratum that were selected with different probabilities, as after a change of the threshold
    sample = Sample(
        np.full(4, 0.95), np.array([True, False, True, True]), np.ones(4, dtype=np.int64),
        np.array([1.0, 1.0, 0.5, 0.25]), np.array([0.0, 16.0]),
    )  # fmt: skip

    # WHEN / THEN the inverse probabilities 1, 1, 2 and 4 are scaled to a total of 16
    assert sample.weights.tolist() == [2.0, 2.0, 4.0, 8.0]
    assert accuracy(sample) == pytest.approx(7 / 8)


@pytest.mark.parametrize(("correct", "n"), [(50, 50), (45, 50), (0, 20)])
def test_the_interval_of_one_stratum_is_close_to_the_jeffreys_interval(correct: int, n: int) -> None:
    # GIVEN labels for a small part of the traffic
    sample = make_sample((correct, n, 0.001), totals=(1e6,))

    # WHEN / THEN
    expected = scipy.stats.beta.ppf([0.025, 0.975], correct + 0.5, n - correct + 0.5)
    assert accuracy_interval(sample) == pytest.approx(tuple(expected), abs=0.012)


def test_the_interval_for_many_images_is_close_to_that_of_scipys_bootstrap() -> None:
    # GIVEN
    random = np.random.default_rng(0)
    sample = make_sample((340, 400, 0.001), totals=(1e6,))

    # WHEN
    values = (sample.correct.astype(float),)
    expected = scipy.stats.bootstrap(
        values, np.mean, n_resamples=2000, method="percentile", rng=random
    ).confidence_interval

    # THEN
    assert accuracy_interval(sample) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_the_interval_has_no_width_if_every_captured_image_is_labelled() -> None:
    sample = make_sample((6, 10, 1.0), (9, 10, 1.0), totals=(10.0, 10.0))
    assert accuracy_interval(sample) == pytest.approx((0.75, 0.75))


@pytest.mark.parametrize(("total", "n", "mistakes"), [(270, 100, 5), (270, 100, 14), (60, 20, 6), (150, 100, 5)])
def test_intervals_have_the_nominal_coverage_if_a_large_part_of_the_traffic_is_labelled(
    total: int, n: int, mistakes: int
) -> None:
    # GIVEN each possible number of mistakes in a sample of the traffic, and its probability
    possible = np.arange(min(n, mistakes) + 1)
    probabilities = scipy.stats.hypergeom.pmf(possible, total, mistakes, n)

    # WHEN
    samples = [make_sample((n - int(count), n, n / total), totals=(float(total),)) for count in possible]
    contains_truth = [low <= 1 - mistakes / total <= high for low, high in map(accuracy_interval, samples)]

    # THEN the interval contains the true accuracy with a probability of about 95 %
    assert probabilities[contains_truth].sum() > 0.94


def test_an_estimate_is_inside_its_interval() -> None:
    sample = make_sample((10, 10, 1.0), (9, 9, 0.05), totals=(10.0, 180.0))
    low, high = accuracy_interval(sample)
    assert low < accuracy(sample) <= high


def test_an_interval_is_reproducible() -> None:
    sample = make_sample((6, 10, 1.0), (9, 10, 0.05), totals=(20.0, 180.0))
    assert accuracy_interval(sample) == accuracy_interval(sample)


def simulated(seed: int) -> tuple[Sample, float, float, float]:
    """Return a sample of simulated traffic, and three accuracies.

    They are the true accuracy of all traffic, the true accuracy at or above the threshold, and the estimate for all
    traffic.
    """
    random = np.random.default_rng(seed)
    is_above = random.random(1200) < 0.85
    correct = random.random(1200) < np.where(is_above, 0.98, 0.7)
    probability = np.where(is_above, 0.05, 1.0)
    chosen = random.random(1200) < probability
    totals = np.array([(~is_above).sum(), is_above.sum()], dtype=np.float64)
    confidence = np.where(is_above, 0.97, 0.7)[chosen]
    sample = Sample(confidence, correct[chosen], is_above[chosen].astype(np.int64), probability[chosen], totals)
    return sample, correct.mean(), correct[is_above].mean(), accuracy(sample)


def test_estimates_for_simulated_traffic_are_unbiased_and_their_intervals_have_the_nominal_coverage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN
    monkeypatch.setattr("evaluation.live.sampling.REPLICATES", 200)
    runs = [simulated(seed) for seed in range(100)]

    # WHEN
    errors = [estimate - truth for _, truth, _, estimate in runs]
    contains_truth = [low <= truth <= high for sample, truth, _, _ in runs for low, high in [accuracy_interval(sample)]]

    # THEN the mean error is within 3 standard errors of zero, and about 95 % of the intervals contain the true accuracy
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))
    assert scipy.stats.binomtest(sum(contains_truth), len(contains_truth), 0.95).pvalue > 0.001
    # most reviewed images are difficult, so their unweighted accuracy is far below the accuracy of all traffic
    assert all(sample.correct.mean() < truth - 0.05 for sample, truth, _, _ in runs)


def test_intervals_of_the_recall_of_a_rare_class_have_the_nominal_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN traffic with a class that only 1 % of the images show, so the audit sample often has no image of this class
    monkeypatch.setattr("evaluation.live.sampling.REPLICATES", 200)
    classes, contains_truth = ("bicycle", "motorcycle"), []
    for seed in range(150):
        random = np.random.default_rng(seed)
        is_above = random.random(3000) < 0.8
        label = (random.random(3000) < 0.01).astype(np.int64)
        correct = random.random(3000) < np.where(is_above, 0.95, 0.6)
        probability = np.where(is_above, 0.04, 1.0)
        chosen = random.random(3000) < probability
        totals = np.array([(~is_above).sum(), is_above.sum()], dtype=np.float64)
        confidence = np.where(is_above, 0.97, 0.6)[chosen]
        sample = Sample(confidence, correct[chosen], is_above[chosen].astype(np.int64), probability[chosen], totals)
        predicted = np.where(correct, label, 1 - label)
        images = Arrays(confidence, predicted[chosen], label[chosen])

        # WHEN
        figures = compute_figures(images, sample.weights, classes, THRESHOLD)
        set_intervals(figures, sample, images, classes, THRESHOLD)
        (motorcycle,) = (each for each in figures["per_class"] if each["class"] == "motorcycle")
        assert motorcycle["recall_interval"] is not None
        low, high = motorcycle["recall_interval"]
        contains_truth.append(low <= correct[label == 1].mean() <= high)

    # THEN
    assert np.mean(contains_truth) > 0.92


def test_the_interval_of_the_threshold_for_a_precision_contains_the_true_threshold() -> None:
    # GIVEN calibrated predictions: an image is correct with a probability that equals its confidence
    random = np.random.default_rng(1)
    confidence = random.uniform(0.5, 1, 400)
    correct = random.random(400) < confidence
    sample = Sample(confidence, correct, np.zeros(400, dtype=np.int64), np.ones(400), np.array([1e5]))

    # WHEN
    low, high = sample.threshold_interval(0.9)
    found = smallest_threshold(coverage_curve(confidence, correct, sample.weights), 0.9)

    # THEN the interval contains 0.8, because images with a confidence of at least 0.8 have a mean confidence of 0.9
    assert found
    assert low <= found <= high
    assert low <= 0.8 <= high


def test_no_threshold_reaches_a_precision_if_all_images_are_misclassified() -> None:
    # GIVEN
    sample = make_sample((0, 10, 0.1), totals=(100.0,))

    # WHEN / THEN
    assert smallest_threshold(coverage_curve(sample.confidence, sample.correct, sample.weights), 0.9) is None
    assert sample.threshold_interval(0.9) == (1.0, 1.0)


def test_the_interval_of_the_precision_uses_only_images_at_or_above_the_threshold() -> None:
    # GIVEN
    sample = make_sample((0, 10, 1.0), (95, 100, 0.05), totals=(20.0, 1e5))

    # WHEN
    members = sample.confidence >= THRESHOLD
    found = sample.mean_interval(sample.correct.astype(float), (1.0, 0.0), members)

    # THEN
    assert found == pytest.approx(tuple(scipy.stats.beta.ppf([0.025, 0.975], 95.5, 5.5)), abs=0.012)


CAPTURED = make_captures(("a", 0, 0.6), ("b", 0, 0.7), ("c", 0, 0.95), ("d", 1, 0.99))


def test_the_sample_contains_only_images_with_an_inclusion_probability() -> None:
    # GIVEN two images with an inclusion probability, and one without
    images = [
        make_image(0, 0.6, 0, probability=1.0),
        make_image(0, 0.95, 1, probability=0.5),
        make_image(1, 0.99, 1),
    ]

    # WHEN
    sample = sample_of(images, CAPTURED, THRESHOLD)

    # THEN
    assert sample
    assert sample.totals.tolist() == [2, 2]
    assert sample.weights.tolist() == [2, 2]
    assert accuracy(sample) == 0.5


@pytest.mark.parametrize(
    "images",
    [
        pytest.param([], id="no labels"),
        pytest.param([make_image(0, 0.6, 0), make_image(0, 0.95, 0)], id="no probabilities"),
        pytest.param([make_image(0, 0.6, 0, probability=1.0)], id="no image at or above the threshold"),
        pytest.param([make_image(0, 0.95, 0, probability=0.1)], id="no image below the threshold"),
    ],
)
def test_there_is_no_sample_without_selected_images_below_and_above_the_threshold(images: list[object]) -> None:
    assert sample_of(images, CAPTURED, THRESHOLD) is None  # type: ignore[arg-type]


def test_images_above_the_threshold_are_enough_if_no_image_below_it_was_captured() -> None:
    sample = sample_of([make_image(0, 0.6, 0, probability=0.5)], CAPTURED, 0.5)
    assert sample
    assert sample.weights.tolist() == [4]


def test_labelled_images_can_be_treated_as_a_simple_random_sample() -> None:
    sample = simple_sample_of([make_image(0, 0.6, 0), make_image(0, 0.95, 1)], CAPTURED)
    assert sample.weights.tolist() == [2, 2]


def test_audit_samples_with_different_rates_are_combined_without_bias() -> None:
    # GIVEN 200 images of the night, all misclassified, with an audit rate of 0.5, and 9,800 images of the day, all
    # correct, with an audit rate of 0.02
    night = [labelled(f"night-{number}", 0.5, is_correct=False) for number in range(200)]
    day = [labelled(f"day-{number}", 0.02, is_correct=True) for number in range(9800)]
    selected = [image for image in night + day if position(image.prediction.id) < (image.audit_rate or 0)]
    assert sum(image in night for image in selected) / len(selected) > 0.2

    # WHEN
    chosen = [image for image, is_chosen in zip(selected, audit_sample(selected), strict=True) if is_chosen]

    # THEN night images are about 2 % of the combined sample, as in all traffic
    assert len(chosen) == sum(position(image.prediction.id) < 0.02 for image in night + day)
    assert sum(image in night for image in chosen) / len(chosen) < 0.05


def test_an_audit_sample_with_a_single_rate_is_used_completely() -> None:
    images = [labelled(f"{number}", 0.3, is_correct=True) for number in range(100)]
    selected = [image for image in images if position(image.prediction.id) < 0.3]

    assert audit_sample([*selected, make_image(0, 0.9, 0)]).tolist() == [True] * len(selected) + [False]


def labelled(record_id: str, rate: float, *, is_correct: bool) -> LabelledImage:
    """Return an image that was selected for the audit sample with this rate."""
    return LabelledImage(make_prediction(record_id), 0 if is_correct else 1, rate, rate)
