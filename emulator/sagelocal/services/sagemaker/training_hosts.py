"""The hosts of a training job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sagelocal.services.sagemaker.job_hosts import Hosts
from sagelocal.services.sagemaker.training_container import TrainingContainer
from sagelocal.services.sagemaker.training_metrics import Metrics


@dataclass
class TrainingHosts(Hosts[TrainingContainer]):
    """The containers of one training job, with one container per host.

    Parameters
    ----------
    job
        moto's record of the job.
    """

    LOG_GROUP = "/aws/sagemaker/TrainingJobs"
    MODE = "train"

    job: Any = None

    @property
    def _specification(self) -> Mapping[str, Any]:
        specification: Mapping[str, Any] = self.request["AlgorithmSpecification"]
        return specification

    @property
    def _image(self) -> str:
        return self._specification.get("TrainingImage") or self._specification.get("AlgorithmName") or ""

    def _variables(self, container: TrainingContainer) -> dict[str, str]:
        return {
            **container.variables(
                hyperparameters=dict(self.request.get("HyperParameters") or {}),
                channels=[each["ChannelName"] for each in self.request.get("InputDataConfig") or []],
            ),
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": self.job.arn,
        }

    def _reader(self, container: TrainingContainer) -> Callable[[str], None]:
        """Return a function that writes the metrics in a line of output to CloudWatch.

        The function for the first host also stores the metrics in the job's record.
        """
        definitions = self._specification.get("MetricDefinitions") or []
        host = f"{self.name}/algo-{container.number}"
        metrics = Metrics(self.emulator.client("cloudwatch", self.region), host, definitions)

        def read(line: str) -> None:
            metrics.read(line)
            if container.number == 1:
                self.job.final_metric_data_list = metrics.final

        return read
