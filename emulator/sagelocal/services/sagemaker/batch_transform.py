"""Batch transform jobs: send every object with an S3 prefix to a model server, and store the responses in S3.

As on AWS, if a model returns no prediction for an object, the FailureReason only refers to the job's log. The log
stream `<job>/i-0/data-log` names each object that failed:
https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
https://github.com/aws/sagemaker-tensorflow-serving-container/issues/93
https://github.com/aws/amazon-sagemaker-examples/issues/1620
"""

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
from sagelocal.services.sagemaker.child_processes import Processes
from sagelocal.services.sagemaker.errors import HostingError, JobFailedError
from sagelocal.services.sagemaker.instance_quotas import check_transform
from sagelocal.services.sagemaker.log_stream import LogStream
from sagelocal.services.sagemaker.model_packages import container_of
from sagelocal.services.sagemaker.model_server import ModelServer
from sagelocal.services.sagemaker.s3_transfer import base_prefix, list_keys, split_uri

LOG_GROUP = "/aws/sagemaker/TransformJobs"
DEFAULT_PAYLOAD = 6  # MiB per request if the job has no MaxPayloadInMB
CLIENT_ERROR, ALGORITHM_ERROR = "ClientError", "AlgorithmError"
SEE_LOG = "See job logs for more information"


def install(emulator: Emulator, processes: Processes) -> None:
    """Patch moto's CreateTransformJob, and add StopTransformJob."""

    def create_transform_job(self: SageMakerResponse) -> Any:
        backend, name = self.sagemaker_backend, self._get_param("TransformJobName")
        if name in backend.transform_jobs:
            arn = backend.transform_jobs[name].arn
            raise ResourceInUseException(f"Job name must be unique within an AWS account and region: {arn} exists")
        backend.describe_model(self._get_param("ModelName"))
        check_transform(emulator.quotas, backend, self._get_param("TransformResources"))
        response = create(self)
        job: Any = backend.transform_jobs[name]
        job.transform_start_time, job.transform_end_time = datetime.now(UTC), None
        job.transform_job_status = "InProgress"  # last, because this assignment sends an event
        threading.Thread(target=_run, args=(emulator, processes, backend, job), daemon=True).start()
        return response

    def stop_transform_job(self: SageMakerResponse) -> EmptyResult:
        name = self._get_param("TransformJobName")
        status = self.sagemaker_backend.describe_transform_job(name)["TransformJobStatus"]
        if status not in ("InProgress", "Stopping"):
            raise ValidationError(f"The request was rejected because the transform job is in status {status}.")
        self.sagemaker_backend.transform_jobs[name].transform_job_status = "Stopping"
        return EmptyResult()

    create = replace(SageMakerResponse, "create_transform_job", create_transform_job)
    add(SageMakerResponse, "stop_transform_job", stop_transform_job)


class ObjectFailedError(Exception):
    """The model returned no prediction for an object.

    Parameters
    ----------
    kind
        `ClientError` if the model responded with an HTTP status from 400 to 499, otherwise `AlgorithmError`.
    lines
        Lines that SageMaker writes about the object to the log stream `data-log`.
    """

    def __init__(self, kind: str, *lines: str) -> None:
        super().__init__(kind, *lines)
        self.kind, self.lines = kind, lines


def _run(emulator: Emulator, processes: Processes, backend: SageMakerModelBackend, job: Any) -> None:
    logs, name = emulator.client("logs", backend.region_name), f"{job.transform_job_name}/i-0"
    log, data_log = LogStream(logs, LOG_GROUP, name), LogStream(logs, LOG_GROUP, f"{name}/data-log")
    status = "Failed"
    try:
        container = container_of(backend, job.model_name)
        container = {**container, "Environment": {**(container.get("Environment") or {}), **(job.environment or {})}}
        server = ModelServer(emulator, processes, container, region=backend.region_name, log=log)
        try:
            _transform(emulator.client("s3", backend.region_name), server, job, data_log)
        finally:
            server.stop()
        status = "Stopped" if _stopping(job) else "Completed"
    except JobFailedError as error:
        job.failure_reason = str(error)
    except HostingError as error:
        job.failure_reason = f"ClientError: {error}"
    except Exception as error:
        job.failure_reason = f"InternalServerError: {type(error).__name__}: {error}"
        if not processes.stopping:  # while the emulator stops, calls to the emulator are expected to fail
            raise
    finally:
        log.close()
        data_log.close()
        job.transform_end_time = datetime.now(UTC)
        job.transform_job_status = status


def _transform(s3: Any, server: ModelServer, job: Any, data_log: LogStream) -> None:
    source = job.transform_input["DataSource"]["S3DataSource"]["S3Uri"]
    bucket, prefix = split_uri(source)
    target_bucket, target = split_uri(job.transform_output["S3OutputPath"].rstrip("/"))
    keys = list_keys(s3, source)
    if not keys:
        raise JobFailedError(f"ClientError: Found no input data at {source}")
    base = base_prefix(prefix, keys)
    kinds: list[str] = []
    for key in keys:
        if _stopping(job):
            return
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            responses = [_invoke(server, job, payload) for payload in _payloads(job, body)]
        except ObjectFailedError as error:  # the job fails after the loop, so that all objects are processed
            kinds.append(error.kind)
            for line in error.lines:
                moment = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
                data_log.write(f"{moment}:[sagemaker logs]: {bucket}/{key}: {line}")
            continue
        if job.transform_output.get("AssembleWith") == "Line":
            responses = [response.rstrip(b"\n") + b"\n" for response in responses]
        relative = key.removeprefix(base).lstrip("/")
        s3.put_object(Bucket=target_bucket, Key=f"{target}/{relative}.out".lstrip("/"), Body=b"".join(responses))
    if kinds:
        raise JobFailedError(f"{kinds[0]}: {SEE_LOG}")


def _stopping(job: Any) -> bool:
    return bool(job.transform_job_status == "Stopping")


def _payloads(job: Any, body: bytes) -> list[bytes]:
    """Split an object into request bodies: the whole object, one line each, or as many lines as the limit allows."""
    if job.transform_input.get("SplitType") != "Line":
        return [body]
    lines = [line for line in body.splitlines(keepends=True) if line.strip()]
    limit = 0 if job.batch_strategy == "SingleRecord" else (job.max_payload_in_mb or DEFAULT_PAYLOAD) * 2**20
    payloads: list[bytes] = []
    for line in lines:
        if payloads and len(payloads[-1]) + len(line) <= limit:
            payloads[-1] += line
        else:
            payloads.append(line)
    return payloads


def _invoke(server: ModelServer, job: Any, body: bytes) -> bytes:
    headers = {"Content-Type": job.transform_input.get("ContentType") or "application/octet-stream"}
    if job.transform_output.get("Accept"):
        headers["Accept"] = job.transform_output["Accept"]
    try:
        response = server.invoke(body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise ObjectFailedError(ALGORITHM_ERROR, "Unable to get response from algorithm") from error
    if response.status == http.client.OK:
        return response.body
    lines = ["", "Message:", *response.body.decode("utf-8", "replace").splitlines()]
    if 400 <= response.status < 500:
        raise ObjectFailedError(CLIENT_ERROR, f"{CLIENT_ERROR}: {response.status}", *lines)
    raise ObjectFailedError(ALGORITHM_ERROR, f"Bad HTTP status received from algorithm: {response.status}", *lines)
