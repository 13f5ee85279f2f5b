"""The index in which alarms find data points."""

from datetime import UTC, datetime, timedelta

from moto.cloudwatch.models import Dimension, MetricDatum

from sagelocal.services.cloudwatch.metric_index import MetricIndex

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def datum(value: float, age: float, name: str = "Errors") -> MetricDatum:
    return MetricDatum("Some", name, value, [{"Name": "a", "Value": "b"}], NOW - timedelta(seconds=age))


def values(index: MetricIndex, age: float) -> list[float]:
    after = NOW - timedelta(seconds=age)
    found = index.find("Some", "Errors", [Dimension("a", "b")], after, NOW)
    return [each.value for each in found if isinstance(each, MetricDatum)]


def test_data_points_are_found_by_time_in_any_order_of_arrival() -> None:
    # GIVEN data points at both ends of the period, in the future, of another metric, late, and without a time zone
    data = [datum(5, 5), datum(60, 60), datum(59, 59), datum(0, 0), datum(-1, -1), datum(9, 9, "Other")]
    data.append(datum(7, 7))
    data[-1].timestamp = data[-1].timestamp.replace(tzinfo=None)

    # WHEN / THEN the start of the period is excluded, and its end is included
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


def test_data_points_are_removed_when_the_account_is_reset() -> None:
    # GIVEN
    index = MetricIndex([datum(1, 1)])

    # WHEN
    index.update([])

    # THEN
    assert values(index, 60) == []
