"""Monitoring schedules, which are stored but never run, and fixes for data quality job definitions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ResourceNotFound
from moto.sagemaker.models import FakeDataQualityJobDefinition
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.patching import add, replace

OMITTED_IF_EMPTY = ("NetworkConfig", "StoppingCondition", "DataQualityBaselineConfig", "Environment")


@dataclass
class Schedule:
    """One monitoring schedule."""

    arn: str
    name: str
    config: dict[str, Any]
    tags: list[dict[str, str]]
    status: str = "Scheduled"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def summary(self) -> dict[str, Any]:
        """The schedule in the format of ListMonitoringSchedules."""
        return {
            "MonitoringScheduleName": self.name,
            "MonitoringScheduleArn": self.arn,
            "MonitoringScheduleStatus": self.status,
            "MonitoringType": self.config.get("MonitoringType"),
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
        }


class Schedules:
    """All monitoring schedules, by ARN."""

    def __init__(self) -> None:
        self._by_arn: dict[str, Schedule] = {}

    def find(self, arn: str) -> Schedule | None:
        """Return the schedule with an ARN, or None."""
        return self._by_arn.get(arn)

    def install(self) -> None:
        """Add the operations, none of which moto implements."""
        schedules = self
        operations = {
            "create_monitoring_schedule": Schedules._create,
            "update_monitoring_schedule": Schedules._update,
            "describe_monitoring_schedule": Schedules._describe,
            "list_monitoring_schedules": Schedules._list,
            "start_monitoring_schedule": Schedules._start,
            "stop_monitoring_schedule": Schedules._stop,
            "delete_monitoring_schedule": Schedules._delete,
        }
        for name, operation in operations.items():
            add(SageMakerResponse, name, lambda response, operation=operation: operation(schedules, response))

    def _create(self, response: SageMakerResponse) -> ActionResult:
        name = response._get_param("MonitoringScheduleName")
        arn = _arn(response, name)
        if arn in self._by_arn:
            raise ResourceInUseException(f"Monitoring Schedule {arn} already exists")
        config = response._get_param("MonitoringScheduleConfig")
        self._by_arn[arn] = Schedule(arn, name, config, response._get_param("Tags") or [])
        return ActionResult({"MonitoringScheduleArn": arn})

    def _update(self, response: SageMakerResponse) -> ActionResult:
        schedule = self._requested(response)
        schedule.config = response._get_param("MonitoringScheduleConfig")
        schedule.modified = datetime.now(UTC)
        return ActionResult({"MonitoringScheduleArn": schedule.arn})

    def _describe(self, response: SageMakerResponse) -> ActionResult:
        schedule = self._requested(response)
        return ActionResult({**schedule.summary, "MonitoringScheduleConfig": schedule.config})

    def _list(self, response: SageMakerResponse) -> ActionResult:
        prefix = _arn(response, "")  # of this account and region
        summaries = [schedule.summary for arn, schedule in sorted(self._by_arn.items()) if arn.startswith(prefix)]
        return ActionResult({"MonitoringScheduleSummaries": summaries})

    def _start(self, response: SageMakerResponse) -> EmptyResult:
        self._requested(response).status = "Scheduled"
        return EmptyResult()

    def _stop(self, response: SageMakerResponse) -> EmptyResult:
        self._requested(response).status = "Stopped"
        return EmptyResult()

    def _delete(self, response: SageMakerResponse) -> EmptyResult:
        del self._by_arn[self._requested(response).arn]
        return EmptyResult()

    def _requested(self, response: SageMakerResponse) -> Schedule:
        name = response._get_param("MonitoringScheduleName")
        schedule = self.find(_arn(response, name))
        if schedule is None:
            raise ResourceNotFound(f"Monitoring Schedule {_arn(response, name)} not found")
        return schedule


def fix_job_definitions() -> None:
    """Omit empty members from responses: Terraform would see an empty block as a change and replace the definition."""

    def response_object(self: FakeDataQualityJobDefinition) -> dict[str, Any]:
        response: dict[str, Any] = describe(self)
        return {name: value for name, value in response.items() if value or name not in OMITTED_IF_EMPTY}

    describe = replace(FakeDataQualityJobDefinition, "response_object", response_object)


def _arn(response: SageMakerResponse, name: str) -> str:
    return f"arn:aws:sagemaker:{response.region}:{response.current_account}:monitoring-schedule/{name}"
