"""The index in which alarms find the data points of a metric."""

from datetime import UTC, datetime, timedelta

from moto.cloudwatch.models import Dimension, MetricDatum

from sagelocal.services.cloudwatch.metric_index import MetricIndex

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def datum(value: float, age: float, name: str = "Errors") -> MetricDatum:
    """Return a data point that is `age` seconds older than NOW."""
    return MetricDatum("Some", name, value, [{"Name": "a", "Value": "b"}], NOW - timedelta(seconds=age))


def values(index: MetricIndex, age: float) -> list[float]:
    """Return the values of the metric `Errors` in the `age` seconds before NOW."""
    after = NOW - timedelta(seconds=age)
    found = index.find("Some", "Errors", [Dimension("a", "b")], after, NOW)
    return [each.value for each in found if isinstance(each, MetricDatum)]


def test_data_points_in_a_period_are_found_in_the_order_of_their_times() -> None:
    # GIVEN unordered data points whose values are their ages: at the start and the end of the period, within and after
    # it, and one of another metric
    data = [datum(5, 5), datum(60, 60), datum(59, 59), datum(0, 0), datum(-1, -1), datum(9, 9, "Other")]
    data.append(datum(7, 7))
    data[-1].timestamp = data[-1].timestamp.replace(tzinfo=None)  # a data point without a time zone

    # WHEN / THEN the metric's data points in the period are found, including its end but not its start
    assert values(MetricIndex(data), 60) == [59, 7, 5, 0]


def test_added_data_points_are_indexed_once() -> None:
    # GIVEN
    data = [datum(1, 1)]
    index = MetricIndex(data)

    # WHEN
    data.append(datum(2, 2))
    for _ in range(2):
        index.update(data)

    # THEN
    assert values(index, 60) == [2, 1]


def test_index_is_empty_after_the_account_is_reset() -> None:
    # GIVEN
    index = MetricIndex([datum(1, 1)])

    # WHEN moto replaces its list of data points
    index.update([])

    # THEN
    assert values(index, 60) == []
