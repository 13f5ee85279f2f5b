"""The data points of each metric by time, so that an alarm reads only those that it needs."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from moto.cloudwatch.models import Dimension, MetricDatumBase

Metric = tuple[str, str, frozenset[tuple[str | None, str | None]]]  # namespace, name, and dimensions


class MetricIndex:
    """Indexes the data points of a list that only grows."""

    def __init__(self, data: Sequence[MetricDatumBase] = ()) -> None:
        self._data: Sequence[MetricDatumBase] = ()
        self._by_metric: dict[Metric, list[MetricDatumBase]] = {}
        self._indexed = 0
        self.update(data)

    def update(self, data: Sequence[MetricDatumBase]) -> None:
        """Index the data points that were added since the last call; start again if it is another list."""
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
    """Return the time of a data point, with its time zone."""
    return datum.timestamp if datum.timestamp.tzinfo else datum.timestamp.replace(tzinfo=UTC)


def _metric(namespace: str, name: str, dimensions: Iterable[Dimension]) -> Metric:
    return namespace, name, frozenset((each.name, each.value) for each in dimensions)
