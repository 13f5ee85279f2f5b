"""CloudWatch: composite alarms, which moto can keep but has no operation for."""

from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse

from emulator.context import Emulator
from emulator.replace import add


def install(emulator: Emulator) -> None:
    """Add PutCompositeAlarm. The alarm is kept; its rule is not evaluated."""
    add(CloudWatchResponse, "put_composite_alarm", _put_composite_alarm)


def _put_composite_alarm(request: Any) -> Any:
    # moto's PutMetricAlarm reads AlarmRule "to re-use this method for composite alarms"
    return request.put_metric_alarm()
