"""Batch transform: a model server answers for every object below an S3 prefix."""

import threading
from datetime import UTC, datetime
from typing import Any

from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from emulator.context import Emulator
from emulator.replace import replace
from emulator.sagemaker.logs import LogStream
from emulator.sagemaker.objects import list_keys, split
from emulator.sagemaker.processes import Processes
from emulator.sagemaker.registry import container_of
from emulator.sagemaker.servers import HostingError, ModelServer

LOG_GROUP = "/aws/sagemaker/TransformJobs"


def install(emulator: Emulator, processes: Processes) -> None:
    """Put batch transform into moto."""

    def create_transform_job(self: SageMakerResponse) -> Any:
        answer = create(self)
        backend = self.sagemaker_backend
        job: Any = backend.transform_jobs[self._get_param("TransformJobName")]
        job.transform_job_status = "InProgress"
        job.transform_start_time, job.transform_end_time = datetime.now(UTC), None
        threading.Thread(target=_run, args=(emulator, processes, backend, job), daemon=True).start()
        return answer

    create = replace(SageMakerResponse, "create_transform_job", create_transform_job)


def _run(emulator: Emulator, processes: Processes, backend: SageMakerModelBackend, job: Any) -> None:
    log = LogStream(emulator.client("logs", backend.region_name), LOG_GROUP, f"{job.transform_job_name}/i-0")
    status = "Failed"
    try:
        model = backend._models[job.model_name]
        server = ModelServer(emulator, processes, container_of(backend, model), region=backend.region_name, log=log)
        try:
            _transform(emulator.client("s3", backend.region_name), server, job)
        finally:
            server.stop()
        status = "Completed"
    except TransformError as error:
        job.failure_reason = str(error)
    except HostingError as error:
        job.failure_reason = f"ClientError: {error}"
    except Exception as error:
        job.failure_reason = f"InternalServerError: {type(error).__name__}: {error}"
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
    base = prefix if prefix.endswith("/") else prefix.rpartition("/")[0]
    for key in keys:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        answer = b"".join(_answers(server, job, key, body))
        relative = key.removeprefix(base).lstrip("/")
        s3.put_object(Bucket=target_bucket, Key=f"{target}/{relative}.out".lstrip("/"), Body=answer)


def _answers(server: ModelServer, job: Any, key: str, body: bytes) -> list[bytes]:
    by_line = job.transform_input.get("SplitType") == "Line" and job.batch_strategy == "SingleRecord"
    end = b"\n" if job.transform_output.get("AssembleWith") == "Line" else b""
    parts = [line for line in body.splitlines(keepends=True) if line.strip()] if by_line else [body]
    headers = {"Content-Type": job.transform_input.get("ContentType") or "application/octet-stream"}
    if job.transform_output.get("Accept"):
        headers["Accept"] = job.transform_output["Accept"]
    answers = []
    for part in parts:
        answer = server.invoke(part, headers)
        if answer.status != 200:
            said = answer.body.decode("utf-8", "replace")[:400]
            raise TransformError(f"ClientError: {key}: the model answered {answer.status}: {said}")
        answers.append(answer.body.rstrip(b"\n") + end if end else answer.body)
    return answers
