"""An index of data points by metric and time, so that an alarm's evaluation reads only the points that it needs."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from moto.cloudwatch.models import Dimension, MetricDatumBase

Metric = tuple[str, str, frozenset[tuple[str | None, str | None]]]  # namespace, name, and dimensions


class MetricIndex:
    """An index of the data points in a list to which moto only appends."""

    def __init__(self, data: Sequence[MetricDatumBase] = ()) -> None:
        self._data: Sequence[MetricDatumBase] = ()
        self._by_metric: dict[Metric, list[MetricDatumBase]] = {}
        self._indexed = 0
        self.update(data)

    def update(self, data: Sequence[MetricDatumBase]) -> None:
        """Index the data points that were appended since the last call.

        If `data` is not the list object of the last call, rebuild the index.
        """
        if data is not self._data:
            self._data, self._indexed, self._by_metric = data, 0, defaultdict(list)
        added = data[self._indexed :]
        self._indexed += len(added)
        for datum in added:
            insort(self._by_metric[_metric(datum.namespace, datum.name, datum.dimensions)], datum, key=time_of)

    def find(
        self, namespace: str, name: str, dimensions: Iterable[Dimension], after: datetime, until: datetime
    ) -> Sequence[MetricDatumBase]:
        """Return the data points of one metric that are newer than `after` and not newer than `until`, oldest first."""
        found = self._by_metric.get(_metric(namespace, name, dimensions), [])
        return found[bisect_right(found, after, key=time_of) : bisect_right(found, until, key=time_of)]


def time_of(datum: MetricDatumBase) -> datetime:
    """Return a data point's time with a time zone; times without a time zone are in UTC."""
    return datum.timestamp if datum.timestamp.tzinfo else datum.timestamp.replace(tzinfo=UTC)


def _metric(namespace: str, name: str, dimensions: Iterable[Dimension]) -> Metric:
    return namespace, name, frozenset((each.name, each.value) for each in dimensions)
