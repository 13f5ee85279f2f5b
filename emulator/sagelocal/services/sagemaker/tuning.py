"""Hyperparameter tuning jobs: training jobs one after the other and side by side, each with what the search suggests.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.sagemaker.builtin_metrics import metric_definitions
from sagelocal.services.sagemaker.search import RangeError, Search

LOOK_INTERVAL = 0.2  # seconds between two looks at the jobs
OBJECTIVE = "_tuning_objective_metric"  # the hyperparameter in which AWS tells a job what it is measured by
ENDED = ("Completed", "Failed", "Stopped")
TAKEN_OVER = (
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "CheckpointConfig",
    "EnableManagedSpotTraining",
    "Environment",
)


def install(emulator: Emulator) -> None:
    """Put tuning jobs into moto."""
    running: dict[str, Tuning] = {}

    def create_tuning_job(self: SageMakerResponse) -> ActionResult:
        config = self._get_param("HyperParameterTuningJobConfig")
        definition = self._get_param("TrainingJobDefinition")
        search = _search(self, config, definition)
        answer: ActionResult = create(self)
        backend = self.sagemaker_backend
        job: Any = backend.hyper_parameter_tuning_jobs[self._get_param("HyperParameterTuningJobName")]
        tuning = running[job.arn] = Tuning(emulator, backend, job, search)
        threading.Thread(target=tuning.go, name=job.hyper_parameter_tuning_job_name, daemon=True).start()
        return answer

    def stop_tuning_job(self: SageMakerResponse) -> EmptyResult:
        found = self.sagemaker_backend.describe_hyper_parameter_tuning_job(
            self._get_param("HyperParameterTuningJobName")
        )
        status = found["HyperParameterTuningJobStatus"]
        if status not in ("InProgress", "Stopping"):
            raise ValidationError(f"The request was rejected because the tuning job is in status {status}.")
        running[found["HyperParameterTuningJobArn"]].stop()
        return EmptyResult()

    def list_training_jobs(self: SageMakerResponse) -> ActionResult:
        found = self.sagemaker_backend.describe_hyper_parameter_tuning_job(
            self._get_param("HyperParameterTuningJobName")
        )
        wanted = self._get_param("StatusEquals")
        summaries = [
            each
            for each in running[found["HyperParameterTuningJobArn"]].summaries()
            if wanted in (None, each["TrainingJobStatus"])
        ]
        if self._get_param("SortBy") == "FinalObjectiveMetricValue":
            summaries.sort(key=_value)
        if self._get_param("SortOrder") == "Descending":
            summaries.reverse()
        limit = self._get_param("MaxResults") or 100
        start = int(self._get_param("NextToken") or 0)
        page = summaries[start : start + limit]
        more = {"NextToken": str(start + limit)} if len(summaries) > start + limit else {}
        return ActionResult({"TrainingJobSummaries": page, **more})

    create = replace(SageMakerResponse, "create_hyper_parameter_tuning_job", create_tuning_job)
    add(SageMakerResponse, "stop_hyper_parameter_tuning_job", stop_tuning_job)
    add(SageMakerResponse, "list_training_jobs_for_hyper_parameter_tuning_job", list_training_jobs)


def _search(response: SageMakerResponse, config: Mapping[str, Any], definition: Mapping[str, Any] | None) -> Search:
    """The search that a request asks for; refused where AWS refuses it, or the emulator cannot."""
    if not definition or response._get_param("TrainingJobDefinitions") or response._get_param("WarmStartConfig"):
        raise ValidationError("the emulator tunes one TrainingJobDefinition, without WarmStartConfig")
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise ValidationError("the emulator stops no training job early: TrainingJobEarlyStoppingType must be Off")
    specification = definition["AlgorithmSpecification"]
    defined = [
        *(specification.get("MetricDefinitions") or []),
        *metric_definitions(specification.get("TrainingImage") or ""),
    ]
    metric = config["HyperParameterTuningJobObjective"]["MetricName"]
    if metric not in {each["Name"] for each in defined}:
        raise ValidationError(f"The objective metric {metric} is none of those that are defined for the algorithm.")
    limits = config["ResourceLimits"]
    if limits["MaxParallelTrainingJobs"] > limits.get("MaxNumberOfTrainingJobs", limits["MaxParallelTrainingJobs"]):
        raise ValidationError("MaxParallelTrainingJobs must not be greater than MaxNumberOfTrainingJobs.")
    try:
        return Search(config)
    except RangeError as error:
        raise ValidationError(str(error)) from error


@dataclass
class Tuning:
    """One tuning job on its way.

    Parameters
    ----------
    job
        moto's record, which DescribeHyperParameterTuningJob shows.
    """

    emulator: Emulator
    backend: SageMakerModelBackend
    job: Any
    search: Search
    _children: dict[str, dict[str, str]] = field(default_factory=dict)  # tuned hyperparameters by training job
    _told: set[str] = field(default_factory=set)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """moto's record says that the job is done; make it one that has just begun."""
        self.job.hyper_parameter_tuning_job_status = "InProgress"
        self.job.hyper_parameter_tuning_end_time = None
        self.job.failure_reason = self.job.tuning_job_completion_details = None
        self.job.OverallBestTrainingJob = None
        self._begun = datetime.now(UTC)
        self._count()

    def go(self) -> None:
        """Run to the end; whatever happens, the job ends."""
        try:
            while self._launch() or len(self._told) < len(self._children):
                self._look()
                threading.Event().wait(LOOK_INTERVAL)
            self._end()
        except ClientError as error:
            self._end(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}")
        except Exception as error:
            self._end(f"InternalServerError: {type(error).__name__}: {error}")
            raise

    def stop(self) -> None:
        """Start no more jobs, and stop those that run."""
        if not self._stopped.is_set():
            self._stopped.set()
            self.job.hyper_parameter_tuning_job_status = "Stopping"

    def summaries(self) -> list[dict[str, Any]]:
        """What ListTrainingJobsForHyperParameterTuningJob shows, the oldest first."""
        return [self._summary(name) for name in self._children]

    @property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.job.hyper_parameter_tuning_job_config
        return config

    @property
    def _metric(self) -> str:
        return str(self._config["HyperParameterTuningJobObjective"]["MetricName"])

    def _launch(self) -> bool:
        """Start what may run now; whether there is more to come."""
        limits = self._config["ResourceLimits"]
        most = min(filter(None, (limits.get("MaxNumberOfTrainingJobs"), self.search.size)), default=1)
        while not self._stopped.is_set() and len(self._children) < most:
            if len(self._children) - len(self._told) >= limits["MaxParallelTrainingJobs"]:
                return True
            self._start()
        return False

    def _start(self) -> None:
        definition: Mapping[str, Any] = self.job.training_job_definition
        name = f"{self.job.hyper_parameter_tuning_job_name}-{len(self._children) + 1:03d}-{secrets.token_hex(4)}"
        tuned = self.search.suggest(name)
        static = definition.get("StaticHyperParameters") or {}
        self.emulator.client("sagemaker", self.backend.region_name).create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={
                key: value
                for key, value in definition["AlgorithmSpecification"].items()
                if key in ("TrainingImage", "TrainingInputMode", "MetricDefinitions") and value
            },
            HyperParameters={**static, **tuned, OBJECTIVE: self._metric},
            **{key: definition[key] for key in TAKEN_OVER if definition.get(key)},
        )
        child: Any = self.backend.training_jobs[name]
        child.tuning_job_arn = self.job.arn
        self._children[name] = tuned

    def _look(self) -> None:
        """Tell the search of jobs that have ended; have them stopped where that was asked."""
        for name in set(self._children) - self._told:
            job: Any = self.backend.training_jobs[name]
            if job.training_job_status in ENDED:
                self.search.tell(name, self._objective(name))
                self._told.add(name)
            elif self._stopped.is_set() and job.training_job_status == "InProgress":
                self.emulator.client("sagemaker", self.backend.region_name).stop_training_job(TrainingJobName=name)
        self._count()

    def _objective(self, name: str) -> float | None:
        """What a job that ended well is measured by."""
        job: Any = self.backend.training_jobs[name]
        found = {each["MetricName"]: each["Value"] for each in job.final_metric_data_list}
        return found.get(self._metric) if job.training_job_status == "Completed" else None

    def _summary(self, name: str) -> dict[str, Any]:
        job: Any = self.backend.training_jobs[name]
        value = self._objective(name)
        ended = job.training_job_status in ENDED
        status = "Succeeded" if value is not None else "Failed" if ended else "Pending"
        summary = {
            "TrainingJobName": name,
            "TrainingJobArn": job.arn,
            "CreationTime": job.creation_time,
            "TrainingStartTime": job.training_start_time,
            "TrainingEndTime": job.training_end_time if ended else None,
            "TrainingJobStatus": job.training_job_status,
            "TunedHyperParameters": self._children[name],
            "FailureReason": getattr(job, "failure_reason", None),
            "ObjectiveStatus": status,
        }
        if value is not None:
            objective = self._config["HyperParameterTuningJobObjective"]
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {**objective, "Value": value}
        return {key: each for key, each in summary.items() if each is not None}

    def _count(self) -> None:
        """The counters, and the best job until now."""
        summaries = self.summaries()
        statuses = [each["TrainingJobStatus"] for each in summaries]
        objectives = [each["ObjectiveStatus"] for each in summaries]
        self.job.training_job_status_counters = {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        }
        self.job.objective_status_counters = {
            name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")
        }
        measured = [each for each in summaries if each["ObjectiveStatus"] == "Succeeded"]
        largest = self._config["HyperParameterTuningJobObjective"]["Type"] == "Maximize"
        choose = max if largest else min
        self.job.best_training_job = choose(measured, key=_value) if measured else None
        seconds = int((datetime.now(UTC) - self._begun).total_seconds())
        self.job.consumed_resources = {"RuntimeInSeconds": seconds}
        self.job.last_modified_time = datetime.now(UTC)

    def _end(self, reason: str | None = None) -> None:
        self._count()
        if reason is None and not self.job.best_training_job and not self._stopped.is_set():
            reason = "No training job succeeded with a value of the objective metric."
        self.job.failure_reason = reason
        self.job.hyper_parameter_tuning_end_time = datetime.now(UTC)
        status = "Failed" if reason else "Stopped" if self._stopped.is_set() else "Completed"
        self.job.hyper_parameter_tuning_job_status = status


def _value(summary: Mapping[str, Any]) -> float:
    return float(summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value", "-inf"))
