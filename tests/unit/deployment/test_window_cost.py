"""The costs of an environment in a time range."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.cost import read_prices
from deployment.window_cost import execution_cost, window_cost
from evaluation.report.results import Cost

END = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
START = END - timedelta(hours=10)
JOB = {
    "TrainingJobName": "scones-local-vehicles-1",
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
    "BillableTimeInSeconds": 1800,
}
TRANSFORM = {
    "TransformJobName": "scones-local-transform-1",
    "TransformResources": {"InstanceType": "ml.some.type", "InstanceCount": 1},
    "TransformStartTime": START,
    "TransformEndTime": START + timedelta(hours=1),
}
NOT_STARTED = {
    "ProcessingJobName": "scones-local-drift-1",
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}},
}


class FakeSageMaker:
    """A SageMaker client with jobs of each kind, and with an endpoint if `created` is given.

    Parameters
    ----------
    created : creation time of the endpoint
    instance_type : instance type of the endpoint; None for a serverless endpoint
    training, transform, processing : descriptions of jobs
    """

    def __init__(
        self,
        created: datetime | None = None,
        *,
        instance_type: str | None = "ml.m5.xlarge",
        training: list[dict[str, Any]] = [],  # noqa: B006
        transform: list[dict[str, Any]] = [],  # noqa: B006
        processing: list[dict[str, Any]] = [],  # noqa: B006
    ) -> None:
        self._created = created
        self._type = {"InstanceType": instance_type} if instance_type else {}
        self._jobs = {"Training": training, "Transform": transform, "Processing": processing}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        if self._created is None:
            error = {"Code": "ValidationException", "Message": f"Could not find endpoint {EndpointName}"}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        variants = [{"VariantName": "AllTraffic", "CurrentInstanceCount": 2}]
        return {"CreationTime": self._created, "EndpointConfigName": "some", "ProductionVariants": variants}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return {"ProductionVariants": [{"VariantName": "AllTraffic", **self._type}]}

    def get_paginator(self, operation: str) -> "FakePages":
        kind = operation.split("_")[1].title()
        return FakePages({f"{kind}JobSummaries": self._jobs[kind]})

    def __getattr__(self, operation: str) -> Any:
        kind = operation.split("_")[1].title()
        return lambda **name: next(job for job in self._jobs[kind] if name.items() <= job.items())


class FakePages:
    """A paginator with one page."""

    def __init__(self, page: dict[str, Any]) -> None:
        self._page = page

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert (request["CreationTimeAfter"], request["CreationTimeBefore"]) == (START, END)
        yield self._page


def cost(sagemaker: FakeSageMaker, images: int | None = None) -> Cost:
    """Return the costs of the endpoint, the jobs and the executions for `images` images from START to END."""
    prices = read_prices()
    return window_cost("local", "some", START, END, images=images, prices=prices, sagemaker=sagemaker)


@pytest.mark.parametrize(
    ("created", "hours"),
    [
        pytest.param(START - timedelta(days=3), 20, id="created before the time range"),
        pytest.param(END - timedelta(hours=4), 8, id="created in the time range"),
        pytest.param(END + timedelta(hours=4), 0, id="created after the time range"),
    ],
)
def test_endpoint_hours_are_limited_to_the_time_range(created: datetime, hours: float) -> None:
    # WHEN
    found = cost(FakeSageMaker(created))

    # THEN
    (row,) = found.rows
    assert (row.item, row.quantity) == ("Endpoint, 2 instances", f"{hours:.2f} hours of ml.m5.xlarge")
    assert found.total == pytest.approx(hours * read_prices().hourly("ml.m5.xlarge"))


def test_jobs_have_a_row_for_each_kind_and_instance_type() -> None:
    # WHEN
    found = cost(FakeSageMaker(training=[JOB, JOB], transform=[TRANSFORM], processing=[NOT_STARTED]))

    # THEN the cost of an instance type without a price is None
    assert [(row.item, row.quantity) for row in found.rows] == [
        ("2 training jobs", "2.00 hours of ml.m5.xlarge"),
        ("1 transform job", "1.00 hours of ml.some.type"),
        ("1 processing job", "0.00 hours of ml.m5.xlarge"),
    ]
    assert found.rows[1].usd is None
    assert found.total == pytest.approx(2 * read_prices().hourly("ml.m5.xlarge"))


def test_job_of_another_project_whose_name_contains_the_prefix_is_not_counted() -> None:
    other = {**JOB, "TrainingJobName": "other-scones-local-vehicles-1"}
    assert cost(FakeSageMaker(training=[other])).rows == []


def test_serverless_endpoint_has_no_hours() -> None:
    # WHEN
    (row,) = cost(FakeSageMaker(START, instance_type=None)).rows

    # THEN
    assert (row.quantity, row.usd) == ("billed by requests", None)


def test_cost_of_executions_is_proportional_to_the_number_of_images() -> None:
    # WHEN
    found = cost(FakeSageMaker(), images=1000)

    # THEN a thousand images cost a thousandth of a million images, whose cost includes 8 state transitions per image
    assert found.total == pytest.approx(execution_cost(1_000_000, read_prices()) / 1000)
    assert execution_cost(1_000_000, read_prices()) > 8 * read_prices().per_million("state_transition")


def test_environment_without_endpoint_jobs_and_images_has_no_costs() -> None:
    assert (cost(FakeSageMaker()).rows, cost(FakeSageMaker()).total) == ([], 0)
