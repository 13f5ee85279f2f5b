"""`arn:aws:states:::sagemaker:*`: SageMaker's operations as tasks, and `.sync`, which waits for the job."""

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
from sagelocal.services.stepfunctions.failures import failure, raised
from sagelocal.services.stepfunctions.interpreter import replace_everywhere
from sagelocal.services.stepfunctions.tasks import operation_model


@dataclass(frozen=True)
class Job:
    """How a kind of job is followed: its operations, and the members that hold its name and status."""

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
ENDED_BADLY = {"Failed", "Stopped"}


def install(emulator: Emulator) -> None:
    """Have the interpreter know the service `sagemaker`, which moto refuses."""
    original = state_task_service_factory.state_task_service_for

    def state_task_service_for(service_name: str) -> Any:
        return SageMakerTask(emulator) if service_name == "sagemaker" else original(service_name)

    replace_everywhere(original, state_task_service_for, parameters=("service_name",))


class SageMakerTask(state_task_service_callback.StateTaskServiceCallback):
    """A Task state whose resource is one of SageMaker's operations."""

    def __init__(self, emulator: Emulator) -> None:
        # a token is not offered, but moto's waiting for a job relies on there being one
        patterns: Any = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
        super().__init__(supported_integration_patterns=patterns)
        self._emulator = emulator

    def _get_supported_parameters(self) -> set[str] | None:
        """All members of the operation; None, which refuses the definition, for one AWS does not offer."""
        action = self._get_boto_service_action()
        waits = self.resource.condition is not None
        if action not in OPERATIONS or (waits and (action not in JOBS or self.resource.condition != "sync")):
            return None
        shape = operation_model("sagemaker", action).input_shape
        return set(shape.members) if shape else None

    def _client(self, region: str) -> Any:
        return self._emulator.client("sagemaker", region)

    def _from_error(self, env: Any, ex: Exception) -> FailureEvent:
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        code, meta = ex.response["Error"]["Code"], ex.response["ResponseMetadata"]
        # a refused request has no exception of its own in the service's model
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
        return _Following(client, job, normalised_parameters[job.name], partial(self._end, env, job))

    def _end(self, env: Any, job: Job, described: dict[str, Any]) -> dict[str, Any]:
        """The task's output for a job that has ended, or its failure."""
        status = described[job.status]
        self._normalise_response(described, service_action_name=job.describe)
        if status in ENDED_BADLY:
            raise raised(self._failure(env, "States.TaskFailed", json.dumps(described)))
        return described

    def _eval_sync(
        self,
        env: Any,
        sync_resolver: Any,
        timeout_seconds: Any,
        callback_endpoint: Any,
        heartbeat_endpoint: Any,
    ) -> Any:
        """Wait for the job; where the task is timed out or the execution stopped, stop it as AWS does."""
        outcome = super()._eval_sync(env, sync_resolver, timeout_seconds, callback_endpoint, heartbeat_endpoint)
        if outcome is None:
            sync_resolver.stop()
        return outcome


@dataclass
class _Following:
    """A job under way: called again and again, it answers None until the job has ended."""

    client: Any
    job: Job
    name: str
    end: Callable[[dict[str, Any]], dict[str, Any]]

    def __call__(self) -> dict[str, Any] | None:
        described = getattr(self.client, self.job.describe)(**{self.job.name: self.name})
        described.pop("ResponseMetadata", None)
        ended = described[self.job.status] == "Completed" or described[self.job.status] in ENDED_BADLY
        return self.end(described) if ended else None

    def stop(self) -> None:
        with suppress(ClientError):  # it may have ended by itself meanwhile
            getattr(self.client, self.job.stop)(**{self.job.name: self.name})
