"""CloudWatch: evaluates metric alarms, computes percentiles, and adds the operation PutCompositeAlarm."""

from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add
from sagelocal.services.cloudwatch import alarm_events, percentiles
from sagelocal.services.cloudwatch.alarms import Alarms


def install(emulator: Emulator) -> None:
    """Install the evaluation of metric alarms, alarm events, percentiles and PutCompositeAlarm into moto.

    Composite alarms are stored, but not evaluated.
    """
    alarm_events.install()
    percentiles.install()
    alarms = Alarms(emulator)
    emulator.on_stop(alarms.stop)
    add(CloudWatchResponse, "put_composite_alarm", _put_composite_alarm)


def _put_composite_alarm(request: Any) -> Any:
    # moto's PutMetricAlarm also reads the parameter AlarmRule, so it can store composite alarms
    return request.put_metric_alarm()
