"""Batch transform: a model server answers for every object below an S3 prefix."""

import http.client
import threading
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.sagemaker.limits import check_transform
from sagelocal.services.sagemaker.logs import LogStream
from sagelocal.services.sagemaker.objects import base_of, list_keys, split
from sagelocal.services.sagemaker.processes import Processes
from sagelocal.services.sagemaker.registry import container_of
from sagelocal.services.sagemaker.servers import HostingError, ModelServer

LOG_GROUP = "/aws/sagemaker/TransformJobs"
PAYLOAD = 6  # MiB of a request, if not given
QUOTED = 400  # characters of a model's answer that a failure quotes


def install(emulator: Emulator, processes: Processes) -> None:
    """Put batch transform into moto."""

    def create_transform_job(self: SageMakerResponse) -> Any:
        backend, name = self.sagemaker_backend, self._get_param("TransformJobName")
        if name in backend.transform_jobs:
            arn = backend.transform_jobs[name].arn
            raise ResourceInUseException(f"Job name must be unique within an AWS account and region: {arn} exists")
        backend.describe_model(self._get_param("ModelName"))
        check_transform(emulator.quotas, backend, self._get_param("TransformResources"))
        answer = create(self)
        job: Any = backend.transform_jobs[name]
        job.transform_job_status = "InProgress"
        job.transform_start_time, job.transform_end_time = datetime.now(UTC), None
        threading.Thread(target=_run, args=(emulator, processes, backend, job), daemon=True).start()
        return answer

    def stop_transform_job(self: SageMakerResponse) -> EmptyResult:
        name = self._get_param("TransformJobName")
        status = self.sagemaker_backend.describe_transform_job(name)["TransformJobStatus"]
        if status not in ("InProgress", "Stopping"):
            raise ValidationError(f"The request was rejected because the transform job is in status {status}.")
        self.sagemaker_backend.transform_jobs[name].transform_job_status = "Stopping"
        return EmptyResult()

    create = replace(SageMakerResponse, "create_transform_job", create_transform_job)
    add(SageMakerResponse, "stop_transform_job", stop_transform_job)


def _run(emulator: Emulator, processes: Processes, backend: SageMakerModelBackend, job: Any) -> None:
    log = LogStream(emulator.client("logs", backend.region_name), LOG_GROUP, f"{job.transform_job_name}/i-0")
    status = "Failed"
    try:
        container = container_of(backend, job.model_name)
        container = {**container, "Environment": {**(container.get("Environment") or {}), **(job.environment or {})}}
        server = ModelServer(emulator, processes, container, region=backend.region_name, log=log)
        try:
            _transform(emulator.client("s3", backend.region_name), server, job)
        finally:
            server.stop()
        status = "Stopped" if _stopping(job) else "Completed"
    except TransformError as error:
        job.failure_reason = str(error)
    except HostingError as error:
        job.failure_reason = f"ClientError: {error}"
    except Exception as error:
        job.failure_reason = f"InternalServerError: {type(error).__name__}: {error}"
        if not processes.stopping:  # else what fails is that AWS has gone
            raise
    finally:
        log.close()
        job.transform_end_time = datetime.now(UTC)
        job.transform_job_status = status


class TransformError(Exception):
    """The job fails with this reason."""


def _transform(s3: Any, server: ModelServer, job: Any) -> None:
    source = job.transform_input["DataSource"]["S3DataSource"]["S3Uri"]
    bucket, prefix = split(source)
    target_bucket, target = split(job.transform_output["S3OutputPath"].rstrip("/"))
    keys = list_keys(s3, source)
    if not keys:
        raise TransformError(f"ClientError: Found no input data at {source}")
    base = base_of(prefix, keys)
    failed: list[TransformError] = []
    for key in keys:
        if _stopping(job):
            return
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            answers = [_ask(server, job, key, part) for part in _parts(job, body)]
        except TransformError as error:  # it fails the job in the end; the other objects are answered all the same
            failed.append(error)
            continue
        end = b"\n" if job.transform_output.get("AssembleWith") == "Line" else b""
        assembled = b"".join(answer.rstrip(b"\n") + end if end else answer for answer in answers)
        relative = key.removeprefix(base).lstrip("/")
        s3.put_object(Bucket=target_bucket, Key=f"{target}/{relative}.out".lstrip("/"), Body=assembled)
    if failed:
        raise failed[0]


def _stopping(job: Any) -> bool:
    return bool(job.transform_job_status == "Stopping")


def _parts(job: Any, body: bytes) -> list[bytes]:
    """What is asked at once: the object, each line of it, or as many lines as a request may have."""
    if job.transform_input.get("SplitType") != "Line":
        return [body]
    lines = [line for line in body.splitlines(keepends=True) if line.strip()]
    limit = 0 if job.batch_strategy == "SingleRecord" else (job.max_payload_in_mb or PAYLOAD) * 2**20
    parts: list[bytes] = []
    for line in lines:
        if parts and len(parts[-1]) + len(line) <= limit:
            parts[-1] += line
        else:
            parts.append(line)
    return parts


def _ask(server: ModelServer, job: Any, key: str, body: bytes) -> bytes:
    headers = {"Content-Type": job.transform_input.get("ContentType") or "application/octet-stream"}
    if job.transform_output.get("Accept"):
        headers["Accept"] = job.transform_output["Accept"]
    try:
        answer = server.invoke(body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise TransformError(f"ClientError: {key}: the model server is gone: {type(error).__name__}") from error
    if answer.status != http.client.OK:
        said = answer.body.decode("utf-8", "replace")[:QUOTED]
        raise TransformError(f"ClientError: {key}: the model answered {answer.status}: {said}")
    return answer.body
