"""CloudWatch: evaluation of metric alarms, percentiles, and the operation PutCompositeAlarm."""

from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add
from sagelocal.services.cloudwatch import alarm_events, percentiles
from sagelocal.services.cloudwatch.alarms import Alarms


def install(emulator: Emulator) -> None:
    """Evaluate metric alarms, compute percentiles, and store composite alarms, which are not evaluated."""
    alarm_events.install()
    percentiles.install()
    alarms = Alarms(emulator)
    emulator.on_stop(alarms.stop)
    add(CloudWatchResponse, "put_composite_alarm", _put_composite_alarm)


def _put_composite_alarm(request: Any) -> Any:
    # moto's PutMetricAlarm also reads AlarmRule, and stores composite alarms
    return request.put_metric_alarm()
