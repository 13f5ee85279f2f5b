"""CloudWatch: metric alarms that are evaluated, and composite alarms, which moto can keep but has no operation for."""

from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add
from sagelocal.services.cloudwatch.alarms import Alarms


def install(emulator: Emulator) -> None:
    """Evaluate metric alarms, and add PutCompositeAlarm. That one is kept; its rule is not evaluated."""
    alarms = Alarms(emulator)
    emulator.on_stop(alarms.stop)
    add(CloudWatchResponse, "put_composite_alarm", _put_composite_alarm)


def _put_composite_alarm(request: Any) -> Any:
    # moto's PutMetricAlarm reads AlarmRule "to re-use this method for composite alarms"
    return request.put_metric_alarm()
