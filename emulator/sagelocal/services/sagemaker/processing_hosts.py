"""The hosts of a processing job."""

from collections.abc import Mapping
from typing import Any

from sagelocal.services.sagemaker.job_hosts import Hosts
from sagelocal.services.sagemaker.processing_container import ProcessingContainer


class ProcessingHosts(Hosts[ProcessingContainer]):
    """The containers of one processing job, with one container per host."""

    LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
    MODE = "process"

    @property
    def _specification(self) -> Mapping[str, Any]:
        specification: Mapping[str, Any] = self.request["AppSpecification"]
        return specification

    @property
    def _image(self) -> str:
        return str(self._specification["ImageUri"])

    def _variables(self, container: ProcessingContainer) -> dict[str, str]:
        return {}
