"""The run of one processing job: downloads its inputs, runs its containers, uploads its outputs.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-run-image.html (exit status of a job)
https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html (ExitMessage)
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-python-sdk-troubleshooting.html (an example of FailureReason)
https://github.com/aws/sagemaker-python-sdk/blob/master-v2/src/sagemaker/local/image.py (process() also uploads the
outputs of a failed job)
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moto.core.utils import utcnow

from sagelocal.core import mounts
from sagelocal.services.sagemaker.errors import JobFailedError
from sagelocal.services.sagemaker.folder_upload import FolderUpload
from sagelocal.services.sagemaker.job_run import JobRun, failure_reason
from sagelocal.services.sagemaker.processing_container import ProcessingContainer
from sagelocal.services.sagemaker.processing_hosts import ProcessingHosts
from sagelocal.services.sagemaker.processing_request import configuration, s3_inputs, s3_outputs
from sagelocal.services.sagemaker.s3_transfer import Shard, download_source

MESSAGE_LENGTH = 1024  # maximum length of ExitMessage in bytes
STATUS = {"MaxRuntimeExceeded": "Stopped"}  # ProcessingJobStatus for each ending that is not itself a status


@dataclass
class ProcessingRun(JobRun):
    """The run of one processing job."""

    @property
    def _in_progress(self) -> bool:
        return bool(self.job.processing_job_status == "InProgress")

    def _enter_stopping(self) -> None:
        self._enter("Stopping")

    def _run(self, folder: Path) -> None:
        containers = self._prepare(folder)
        uploads = self._uploads(containers)
        name = self.job.processing_job_name
        hosts = ProcessingHosts(self.emulator, self.processes, name, self.region, self.request, containers)
        with self._lock:
            if self._is_stopped:
                return
            self.job.processing_start_time = utcnow()
            hosts.start()
            self._hosts = hosts
        limit = self._timer("MaxRuntimeInSeconds", "MaxRuntimeExceeded")
        limit.start()
        for mode, upload in uploads:
            if mode == "Continuous":
                upload.start()
        try:
            result = hosts.wait()
        finally:
            limit.cancel()
        failed = result.status and not self._is_stopped
        # if a container has failed, the FailureReason is the exit status, even if an upload also fails
        with contextlib.suppress(JobFailedError) if failed else contextlib.nullcontext(), self._uploading():
            self._finish(containers, [upload for _, upload in uploads])
        if failed:
            raise JobFailedError(failure_reason("", result.status))

    def _prepare(self, folder: Path) -> list[ProcessingContainer]:
        """Create each host's folder, with configuration files and downloaded inputs."""
        count = self.request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        containers = [
            ProcessingContainer.create(
                folder / f"algo-{number}" / "ml", number=number, count=count, isolated=mounts.can_replace_opt()
            )
            for number in range(1, count + 1)
        ]
        for container in containers:
            shard = Shard(container.number - 1, count)
            with self._downloading():
                for source in s3_inputs(self.request):
                    download_source(self._client("s3"), source, container.folder(source["LocalPath"]), shard)
            container.localize_scripts()
            container.configure(configuration(self.request, self.job.arn))
        return containers

    def _uploads(self, containers: Sequence[ProcessingContainer]) -> list[tuple[str, FolderUpload]]:
        """Create the folders of all outputs, and return the upload mode and the FolderUpload of each output."""
        return [
            (
                output["S3UploadMode"],
                FolderUpload(
                    self._client("s3"), [each.folder(output["LocalPath"]) for each in containers], output["S3Uri"]
                ),
            )
            for output in s3_outputs(self.request)
        ]

    def _finish(self, containers: Sequence[ProcessingContainer], uploads: Sequence[FolderUpload]) -> None:
        """Store the exit message and complete all uploads, even if one of them fails."""
        with contextlib.ExitStack() as stack:
            for upload in uploads:
                stack.callback(upload.close)
            self.job.exit_message = exit_message(each.message() for each in containers) or None

    def _enter(self, status: str) -> None:
        with self._lock:
            self.job.last_modified_time = utcnow()
            self.job.processing_job_status = status

    def _end(self, status: str, reason: str | None = None) -> None:
        self.job.failure_reason = reason
        self.job.processing_end_time = utcnow()
        self._enter(STATUS.get(status, status))


def exit_message(messages: Iterable[bytes]) -> str:
    """Return a job's ExitMessage: the messages of all hosts, joined and cut to `MESSAGE_LENGTH` bytes.

    Parameters
    ----------
    messages
        Content of each host's `/opt/ml/output/message`.

    Raises
    ------
    JobFailedError
        If a message is not encoded in UTF-8.
    """
    try:
        text = "".join(message.decode() for message in messages)
    except UnicodeDecodeError as error:
        raise JobFailedError(f"ClientError: /opt/ml/output/message is not encoded in UTF-8: {error}") from error
    return text.encode()[:MESSAGE_LENGTH].decode(errors="ignore")
