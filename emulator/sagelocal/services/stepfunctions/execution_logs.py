"""Execution logs: write the events of an execution to the CloudWatch log group of its state machine.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

import datetime
from typing import Any
from uuid import uuid4

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import logs_backends
from moto.stepfunctions.parser.asl.eval.event.logging import CloudWatchLoggingConfiguration, CloudWatchLoggingSession
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from sagelocal.core.patching import replace


def install() -> None:
    """Replace moto's function that writes log events, because it fails on their timestamps."""
    replace(CloudWatchLoggingSession, "publish_history_log", publish, parameters=("history_log",))


def session(machine: Any, execution_arn: str) -> CloudWatchLoggingSession | None:
    """Return the log session of an execution, or None if its state machine does not log."""
    settings: Any = {"includeExecutionData": False, **machine.loggingConfiguration}
    configuration: Any = CloudWatchLoggingConfiguration.from_logging_configuration(machine.arn, settings)
    if configuration is None:
        return None
    arn = settings["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"]
    configuration.log_group_name = arn.split(":")[6]  # moto loses parts of a name that contains slashes
    time = datetime.datetime.now(tz=datetime.UTC)
    configuration.log_stream_name = f"states/{machine.name}/{time:%Y-%m-%d-%H-%M}/{uuid4().hex[:8]}"
    return CloudWatchLoggingSession(execution_arn, configuration)


def publish(self: Any, history_log: Any) -> None:
    """Write one event to the execution's log stream, or drop the event if the log group does not exist."""
    time = datetime.datetime.fromisoformat(history_log["event_timestamp"])
    milliseconds = int(time.timestamp() * 1000)
    redrives = str(getattr(self, "redrive_count", 0))  # set when the execution is redriven
    message = to_json_str({**history_log, "event_timestamp": str(milliseconds), "redrive_count": redrives})
    settings = self.configuration
    backend = logs_backends[settings.log_account_id][settings.log_region]
    event = {"timestamp": milliseconds, "message": message}
    try:
        backend.ensure_log_stream(settings.log_group_name, settings.log_stream_name)
        backend.put_log_events(settings.log_group_name, settings.log_stream_name, [event])
    except ResourceNotFoundException:
        return
