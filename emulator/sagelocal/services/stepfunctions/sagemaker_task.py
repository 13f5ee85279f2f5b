"""The SageMaker integration `arn:aws:states:::sagemaker:*`, including `.sync`, which waits for the job."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
    state_task_service_factory,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition

from sagelocal.core.emulator import Emulator
from sagelocal.services.stepfunctions.interpreter import replace_everywhere
from sagelocal.services.stepfunctions.service_tasks import operation_model
from sagelocal.services.stepfunctions.state_failures import as_exception, failure


@dataclass(frozen=True)
class Job:
    """A type of SageMaker job: its describe and stop operations, and the members that contain its name and status."""

    describe: str
    stop: str
    name: str
    status: str


JOBS = {
    f"create_{kind}_job": Job(
        f"describe_{kind}_job",
        f"stop_{kind}_job",
        f"{kind.title().replace('_', '')}JobName",
        f"{kind.title().replace('_', '')}JobStatus",
    )
    for kind in ("training", "transform", "processing", "hyper_parameter_tuning")
}
OPERATIONS = {
    *JOBS,
    "create_endpoint",
    "create_endpoint_config",
    "create_labeling_job",
    "create_model",
    "update_endpoint",
}
UNSUCCESSFUL = {"Failed", "Stopped"}


def install(emulator: Emulator) -> None:
    """Add the service `sagemaker` to the interpreter."""
    original = state_task_service_factory.state_task_service_for

    def state_task_service_for(service_name: str) -> Any:
        return SageMakerTask(emulator) if service_name == "sagemaker" else original(service_name)

    replace_everywhere(original, state_task_service_for, parameters=("service_name",))


class SageMakerTask(state_task_service_callback.StateTaskServiceCallback):
    """A Task state whose resource is a SageMaker operation."""

    def __init__(self, emulator: Emulator) -> None:
        # AWS offers no task token for this integration, but moto's `.sync` needs a token
        patterns: Any = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
        super().__init__(supported_integration_patterns=patterns)
        self._emulator = emulator

    def _get_supported_parameters(self) -> set[str] | None:
        """Return the operation's parameters, or None to make moto reject an integration that AWS does not have."""
        action = self._get_boto_service_action()
        waits = self.resource.condition is not None
        if action not in OPERATIONS or (waits and (action not in JOBS or self.resource.condition != "sync")):
            return None
        shape = operation_model("sagemaker", action).input_shape
        return set(shape.members) if shape else None

    @staticmethod
    def _to_sfn_cased(member_key: str) -> str:
        # SageMaker's names begin with a capital already, and moto would turn VolumeSizeInGB into VolumeSizeInGb
        return member_key

    def _client(self, region: str) -> Any:
        return self._emulator.client("sagemaker", region)

    def _from_error(self, env: Any, ex: Exception) -> FailureEvent:
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        code, meta = ex.response["Error"]["Code"], ex.response["ResponseMetadata"]
        # AWS uses the general exception's name, because SageMaker's model does not contain ValidationException
        name = "AmazonSageMakerException" if code == "ValidationException" else f"{code}Exception"
        cause = (
            f"{ex.response['Error']['Message']} (Service: AmazonSageMaker; "
            f"Status Code: {meta['HTTPStatusCode']}; Error Code: {code}; "
            f"Request ID: {meta.get('RequestId')}; Proxy: null)"
        )
        return self._failure(env, f"SageMaker.{name}", cause)

    def _failure(self, env: Any, error: str, cause: str) -> FailureEvent:
        resource, kind = self._get_sfn_resource(), self._get_sfn_resource_type()
        event = HistoryEventType.TaskFailed
        return failure(env, event, error=error, cause=cause, resource=resource, resourceType=kind)

    def _eval_service_task(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        method = getattr(self._client(resource_runtime_part.region), self._get_boto_service_action())
        response = method(**normalised_parameters)
        response.pop("ResponseMetadata", None)
        env.stack.append(response)

    def _build_sync_resolver(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> Callable[[], Any]:
        env.stack.pop()
        job = JOBS[self._get_boto_service_action()]
        client = self._client(resource_runtime_part.region)
        return _JobWaiter(client, job, normalised_parameters[job.name], partial(self._end, env, job))

    def _end(self, env: Any, job: Job, described: dict[str, Any]) -> dict[str, Any]:
        """Return the task's output if the job has completed, or raise an exception if it has failed or was stopped."""
        status = described[job.status]
        self._normalise_response(described, service_action_name=job.describe)
        if status in UNSUCCESSFUL:
            raise as_exception(self._failure(env, "States.TaskFailed", json.dumps(described)))
        return described

    def _eval_sync(
        self,
        env: Any,
        sync_resolver: Any,
        timeout_seconds: Any,
        callback_endpoint: Any,
        heartbeat_endpoint: Any,
    ) -> Any:
        """Wait for the job; like AWS, stop it if the task times out or the execution is stopped."""
        outcome = super()._eval_sync(env, sync_resolver, timeout_seconds, callback_endpoint, heartbeat_endpoint)
        if outcome is None:
            sync_resolver.stop()
        return outcome


@dataclass
class _JobWaiter:
    """Polls a job: each call returns None until the job has ended, and then the task's output."""

    client: Any
    job: Job
    name: str
    end: Callable[[dict[str, Any]], dict[str, Any]]

    def __call__(self) -> dict[str, Any] | None:
        described = getattr(self.client, self.job.describe)(**{self.job.name: self.name})
        described.pop("ResponseMetadata", None)
        ended = described[self.job.status] == "Completed" or described[self.job.status] in UNSUCCESSFUL
        return self.end(described) if ended else None

    def stop(self) -> None:
        with suppress(ClientError):  # the job may have ended already
            getattr(self.client, self.job.stop)(**{self.job.name: self.name})
