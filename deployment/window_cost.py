"""Estimate the costs of an environment in a time range: the hours of the endpoint and of jobs, and the executions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from common.names import resource_prefix
from common.terminal import counted
from deployment.cost import PRICES, PriceTable
from deployment.image_costs import ENDPOINT, IMAGES, single_quantities, total
from evaluation.report.results import Cost, CostRow
from registry.endpoint import describe_endpoint, describe_endpoint_config

SECONDS_PER_HOUR = 3600
NOT_COUNTED = (
    "Not included: storage, logs, captured data, data transfer, KMS keys, alarms and metrics (make cost estimates them "
    "by the hour), batch executions, notifications, an endpoint that has been deleted, free tiers and taxes. The "
    "endpoint is counted with its current number of instances."
)


@dataclass(frozen=True)
class JobKind:
    """A kind of SageMaker job, and how to read the instances and the duration from a job's description.

    Attributes
    ----------
    operation : kind of job, such as `training_job`, as it appears in the names of boto3's methods
    resources : returns the part of a job's description that contains the instance type and the number of instances
    seconds : returns, from a job's description, the number of billed seconds of one instance
    """

    operation: str
    resources: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    seconds: Callable[[Mapping[str, Any]], float]

    @property
    def title(self) -> str:
        """The kind in words."""
        return self.operation.replace("_", " ")

    @property
    def field(self) -> str:
        """The prefix of the API's field names, such as `TrainingJob`."""
        return self.title.title().replace(" ", "")


def _elapsed(start: str, end: str) -> Callable[[Mapping[str, Any]], float]:
    """Return a function that computes the seconds between two fields of a job's description, or until now."""

    def seconds(job: Mapping[str, Any]) -> float:
        if start not in job:
            return 0.0
        return float((job.get(end, datetime.now(UTC)) - job[start]).total_seconds())

    return seconds


JOBS = (
    # BillableTimeInSeconds is the billed time of each instance, not of all instances together:
    # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
    JobKind("training_job", lambda job: job["ResourceConfig"], lambda job: job.get("BillableTimeInSeconds", 0)),
    JobKind("transform_job", lambda job: job["TransformResources"], _elapsed("TransformStartTime", "TransformEndTime")),
    JobKind(
        "processing_job",
        lambda job: job["ProcessingResources"]["ClusterConfig"],
        _elapsed("ProcessingStartTime", "ProcessingEndTime"),
    ),
)


def window_cost(
    environment: str,
    endpoint: str,
    start: datetime,
    end: datetime,
    *,
    images: int | None,
    prices: PriceTable,
    sagemaker: Any,
) -> Cost:
    """Return the estimated costs of an environment in a time range.

    Parameters
    ----------
    endpoint : name of the environment's endpoint
    images : number of executions that classified an image; None if the number is not known
    """
    rows = [
        *endpoint_rows(endpoint, start, end, prices=prices, sagemaker=sagemaker),
        *job_rows(resource_prefix(environment), start, end, prices=prices, sagemaker=sagemaker),
    ]
    if images is not None:
        rows.append(
            CostRow("Executions, priced as drivers' photographs", f"{images:,} images", execution_cost(images, prices))
        )
    source = (
        f"List prices of {prices.region}, {prices.checked} ({PRICES.name}). Instances of jobs are priced as those of "
        "endpoints."
    )
    return Cost(rows, [source, NOT_COUNTED])


def endpoint_rows(
    name: str, start: datetime, end: datetime, *, prices: PriceTable, sagemaker: Any
) -> Iterator[CostRow]:
    """Yield the cost of the endpoint's instances; yield nothing if there is no endpoint."""
    live = describe_endpoint(name, sagemaker=sagemaker)
    config = live and describe_endpoint_config(live["EndpointConfigName"], sagemaker=sagemaker)
    if not live or not config:
        return
    until = min(end, datetime.now(UTC))
    hours = max((until - max(start, live["CreationTime"])).total_seconds(), 0) / SECONDS_PER_HOUR
    counts = {each["VariantName"]: each.get("CurrentInstanceCount", 0) for each in live.get("ProductionVariants", ())}
    for variant in config["ProductionVariants"]:
        if instance_type := variant.get("InstanceType"):
            count = counts.get(variant["VariantName"], 0)
            yield instance_row(f"Endpoint, {counted(count, 'instance')}", instance_type, count * hours, prices)
        else:
            yield CostRow("Serverless endpoint", "billed by requests", None)


def job_rows(prefix: str, start: datetime, end: datetime, *, prices: PriceTable, sagemaker: Any) -> Iterator[CostRow]:
    """Yield the cost of the jobs that were created in the time range, for each kind and instance type.

    Parameters
    ----------
    prefix : beginning of the names of the environment's jobs
    """
    for kind in JOBS:
        pages = sagemaker.get_paginator(f"list_{kind.operation}s").paginate(
            NameContains=prefix, CreationTimeAfter=start, CreationTimeBefore=end
        )
        listed = (job[f"{kind.field}Name"] for page in pages for job in page[f"{kind.field}Summaries"])
        names = [name for name in listed if name.startswith(prefix)]  # NameContains finds the prefix anywhere
        describe = getattr(sagemaker, f"describe_{kind.operation}")
        jobs = [describe(**{f"{kind.field}Name": name}) for name in names]
        by_type = sorted(((kind.resources(job), kind.seconds(job)) for job in jobs), key=lambda each: _type(each[0]))
        for instance_type, members in groupby(by_type, lambda each: _type(each[0])):
            found = list(members)
            hours = sum(resources["InstanceCount"] * seconds for resources, seconds in found) / SECONDS_PER_HOUR
            yield instance_row(counted(len(found), kind.title).capitalize(), instance_type, hours, prices)


def _type(resources: Mapping[str, Any]) -> str:
    return str(resources["InstanceType"])


def instance_row(item: str, instance_type: str, hours: float, prices: PriceTable) -> CostRow:
    """Return a row with the cost of instance hours; the cost is None if the instance type has no price."""
    usd = hours * prices.hourly(instance_type) if prices.has(instance_type) else None
    return CostRow(item, f"{hours:.2f} hours of {instance_type}", usd)


def execution_cost(images: int, prices: PriceTable) -> float:
    """Return the cost of executions that classify one image each; the endpoint is not included."""
    quantities = {name: quantity for name, quantity in single_quantities().items() if name != ENDPOINT}
    return total(quantities, prices) * images / IMAGES
