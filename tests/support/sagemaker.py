"""SageMaker and S3 clients of an emulator, with a bucket for training data and models."""

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.emulator import Emulator
from tests.support.project import unique
from tests.support.waiting import eventually

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
TRAINING_JOB_LOGS = "/aws/sagemaker/TrainingJobs"


def make_archive(files: Mapping[str, str]) -> bytes:
    """Return a `tar.gz` archive.

    Parameters
    ----------
    files : text of each file by file name
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


@dataclass(frozen=True)
class SageMaker:
    """Clients of one emulator, and the name of a bucket in the emulator."""

    emulator: Emulator
    bucket: str

    @property
    def client(self) -> Any:
        """The SageMaker client."""
        return self.emulator.client("sagemaker")

    @property
    def s3(self) -> Any:
        """The S3 client."""
        return self.emulator.client("s3")

    def put(self, key: str, body: bytes | str) -> str:
        """Store an object in the bucket, and return the object's S3 URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def put_model_data(self, text: str) -> str:
        """Store a model archive for tests/support/model_server.py, and return the archive's S3 URI."""
        return self.put(f"models/{unique('model')}/model.tar.gz", make_archive({"model.txt": text}))

    def get(self, uri: str) -> bytes:
        """Return the content of the object at an S3 URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def read(self, uri: str, member: str) -> Any:
        """Return the content of a JSON file in the `tar.gz` archive at an S3 URI."""
        with tarfile.open(fileobj=io.BytesIO(self.get(uri))) as archive:
            file = archive.extractfile(member)
            assert file is not None
            return json.load(file)

    def job(self, name: str) -> dict[str, Any]:
        """Return a training job's description."""
        description: dict[str, Any] = self.client.describe_training_job(TrainingJobName=name)
        return description

    def finished_job(self, name: str) -> dict[str, Any]:
        """Wait until a training job has ended, and return the job's description."""

        def describe_if_ended() -> dict[str, Any]:
            description = self.job(name)
            return description if description["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else {}

        return eventually(describe_if_ended, seconds=120)

    def training_log(self, job: str) -> list[str]:
        """Return the lines that a training job has logged."""
        logs = self.emulator.client("logs")
        try:
            streams = logs.describe_log_streams(logGroupName=TRAINING_JOB_LOGS, logStreamNamePrefix=job)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=TRAINING_JOB_LOGS, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
