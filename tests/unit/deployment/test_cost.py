"""The cost estimate of a plan."""

import json
from typing import Any

import pytest

from common.errors import OperatorError
from common.terminal import WIDTH
from deployment.cost import PRICES, PriceTable, estimate, read_prices

CONTENT = {
    "region": "us-east-1",
    "checked": "2026-01-31",
    "prices": {
        "ml.m5.xlarge": {"usd": 0.5, "per": "hour"},
        "kms_key": {"usd": 1.0, "per": "month"},
        "vpc_interface_endpoint": {"usd": 0.01, "per": "hour"},
        "alarm_metric": {"usd": 0.1, "per": "month"},
        "custom_metric": {"usd": 0.3, "per": "month"},
        "dashboard": {"usd": 3.0, "per": "month"},
        "lambda_request": {"usd": 0.2, "per": "million"},
        "lambda_gb_second": {"usd": 16.0, "per": "million"},
        "s3_get": {"usd": 0.4, "per": "million"},
        "state_transition": {"usd": 25.0, "per": "million"},
        "xray_trace": {"usd": 5.0, "per": "million"},
        "dynamodb_write": {"usd": 0.6, "per": "million"},
        "dynamodb_read": {"usd": 0.1, "per": "million"},
        "s3_event": {"usd": 1.0, "per": "million"},
    },
}


def make_resource(kind: str, module: str = "some", **values: Any) -> dict[str, Any]:
    """Return a planned resource of the type `kind`; `values` are its attributes."""
    return {"address": f"module.{module}.{kind}.this", "mode": "managed", "type": kind, "values": values}


def make_plan(*resources: dict[str, Any], **variables: Any) -> dict[str, Any]:
    """Return a plan in the format of `terraform show -json`, with resources in a nested module."""
    given = {
        "region": "us-east-1",
        "endpoint_instance_type": "ml.m5.xlarge",
        "endpoint_instance_count": 1,
        "endpoint_max_instance_count": None,
        "endpoint_hours": None,
        "serverless": None,
        **variables,
    }
    return {
        "variables": {name: {} if value is None else {"value": value} for name, value in given.items()},
        "planned_values": {"root_module": {"child_modules": [{"child_modules": [{"resources": list(resources)}]}]}},
    }


def numbers_by_line(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Return the numbers in each line of the estimate, by the line's text without these numbers."""
    lines: dict[str, list[str]] = {}
    for line in estimate("dev", plan, PriceTable(CONTENT)):
        words = line.split()
        numbers = [word for word in words if word.replace(".", "").isdecimal() and "." in word]
        lines.setdefault(" ".join(word for word in words if word not in numbers), []).extend(numbers)
    return lines


def test_resources_that_are_billed_by_time_have_an_hourly_and_a_monthly_cost() -> None:
    # GIVEN 2 instances in the settings, and a planned configuration with the 4 to which the endpoint has scaled
    variant = {"instance_type": "ml.m5.xlarge", "initial_instance_count": 4}
    endpoint = [
        make_resource("aws_sagemaker_endpoint"),
        make_resource("aws_sagemaker_endpoint_configuration", production_variants=[variant]),
    ]

    # WHEN
    lines = numbers_by_line(make_plan(*endpoint, make_resource("aws_kms_key"), endpoint_instance_count=2))

    # THEN
    assert lines["some: 2 ml.m5.xlarge"] == ["1.0000", "730.00"]
    assert lines["some: key"] == ["0.0014", "1.00"]
    assert lines["total"] == ["1.0014", "731.00", "0.00"]


def test_costs_of_data_drift_consist_of_job_minutes_and_metrics() -> None:
    # WHEN
    lines = numbers_by_line(make_plan(drift_schedule="rate(1 day)", drift_window_hours=24, capture_percentage=100))

    # THEN
    assert lines["data_drift: 10 min ml.m5.xlarge every 24 hours"] == ["0.0035", "2.53"]
    assert lines["data_drift: 5 metrics"] == ["0.0021", "1.50"]


@pytest.mark.parametrize("known", [{"subnet_ids": ["subnet-1", "subnet-2"]}, {}], ids=["subnets", "subnets unknown"])
def test_vpc_interface_endpoint_is_billed_in_each_zone_and_gateway_endpoint_is_free(known: dict[str, Any]) -> None:
    # GIVEN
    interface = make_resource("aws_vpc_endpoint", vpc_endpoint_type="Interface", **known)
    gateway = make_resource("aws_vpc_endpoint", module="other", vpc_endpoint_type="Gateway")

    # WHEN
    lines = numbers_by_line(make_plan(interface, gateway))

    # THEN
    assert lines["some: in 2 zones"] == ["0.0200", "14.60"]
    assert not any(line.startswith("other.") for line in lines)


def test_maximum_is_the_cost_with_the_maximum_number_of_instances() -> None:
    # WHEN the endpoint has two to four instances
    plan = make_plan(make_resource("aws_kms_key"), endpoint_instance_count=2, endpoint_max_instance_count=4)
    lines = numbers_by_line(plan)

    # THEN
    assert lines["total"][:2] == ["1.0014", "731.00"]
    assert lines["maximum, scaled out to 4 ml.m5.xlarge"] == ["2.0014", "1461.00"]
    assert not any(line.startswith("maximum") for line in numbers_by_line(make_plan()))


def test_endpoint_is_included_even_if_no_model_is_approved_yet() -> None:
    assert numbers_by_line(make_plan())["endpoint, once a model is approved: 1 ml.m5.xlarge"] == ["0.5000", "365.00"]


def test_serverless_endpoint_has_no_hourly_cost() -> None:
    # GIVEN
    variant = {"instance_type": None, "serverless_config": [{"memory_size_in_mb": 2048}]}
    resources = [
        make_resource("aws_sagemaker_endpoint"),
        make_resource("aws_sagemaker_endpoint_configuration", production_variants=[variant]),
    ]

    # WHEN
    lines = numbers_by_line(make_plan(*resources, serverless={"memory_size_in_mb": 2048, "max_concurrency": 5}))

    # THEN there is no instance cost, and a note says that the table does not include the serverless endpoint
    assert not any("ml." in line for line in lines)
    assert any("aws_sagemaker_endpoint_configuration (1)" in line for line in lines)
    assert any(line.startswith("also not counted: the serverless endpoint") for line in lines)
    assert not any(
        line.startswith("also not counted: the serverless endpoint") for line in numbers_by_line(make_plan())
    )


def test_cost_of_traces_assumes_that_every_execution_is_traced() -> None:
    lines = numbers_by_line(make_plan(make_resource("aws_sfn_state_machine")))

    assert lines["some: at most one trace"] == ["5.00"]


def test_cost_of_an_alarm_is_proportional_to_its_number_of_metrics() -> None:
    # GIVEN an alarm on an expression of two metrics, and an alarm on one metric
    queries = [{"expression": "a - b", "metric": []}, {"metric": [{}]}, {"metric": [{}]}]

    # WHEN
    lines = numbers_by_line(
        make_plan(
            make_resource("aws_cloudwatch_metric_alarm", "two", metric_query=queries),
            make_resource("aws_cloudwatch_metric_alarm", "one", metric_query=[]),
        )
    )

    # THEN
    assert lines["two: alarm on 2 metrics"][1] == "0.20"
    assert lines["one: alarm on 1 metric"][1] == "0.10"


def test_resources_that_are_billed_by_use_have_a_cost_per_million_images() -> None:
    # WHEN a function uses 0.25 GB for 0.1 s, which costs 0.4 USD per million, and a million requests cost 0.2 USD
    index = {"range_key": "version", "global_secondary_index": [{}]}
    lines = numbers_by_line(
        make_plan(
            make_resource("aws_lambda_function", memory_size=256),
            make_resource("aws_dynamodb_table", "drivers"),
            make_resource("aws_dynamodb_table", "vehicles", **index),
            make_resource("aws_s3_bucket_notification", "incoming"),
        )
    )

    # THEN
    assert lines["some: s at 256 MB"] == ["0.1", "0.60"]
    assert lines["drivers: one item, 2 writes"] == ["1.20"]
    assert lines["vehicles: one item, 3 writes"] == ["1.80"]
    assert lines["vehicles: one read"] == ["0.10"]
    assert lines["incoming: one event"] == ["1.00"]
    assert lines["total"][-1] == "4.70"


def test_resources_without_a_price_are_listed_unless_they_are_free() -> None:
    # WHEN
    lines = numbers_by_line(make_plan(make_resource("aws_sns_topic"), make_resource("aws_iam_role")))

    # THEN
    assert "no price in the table: aws_sns_topic (1)" in lines
    assert not any(line.startswith("no price") for line in numbers_by_line(make_plan(make_resource("aws_iam_role"))))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param({"region": "eu-west-1"}, "eu-west-1", id="region"),
        pytest.param({"endpoint_instance_type": "ml.g5.xlarge"}, "no price for ml.g5.xlarge", id="instance"),
    ],
)
def test_missing_region_or_instance_price_is_an_error(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        numbers_by_line(make_plan(**variables))


def test_note_mentions_the_limited_lifetime_of_the_endpoint() -> None:
    lines = estimate("dev", make_plan(endpoint_hours=8), PriceTable(CONTENT))

    assert any("deleted after 8 hours" in line for line in lines)


def test_lines_of_the_estimate_are_at_most_80_columns_wide() -> None:
    # GIVEN a plan for which the estimate has every note, and a resource whose name is too long
    plan = make_plan(
        make_resource("aws_kms_key", "module_with_a_very_long_name_" * 4),
        endpoint_hours=8,
        endpoint_max_instance_count=4,
        serverless={"memory_size_in_mb": 2048},
    )

    # WHEN / THEN
    assert all(len(line) <= WIDTH == 80 for line in estimate("dev", plan, read_prices()))


def test_every_price_has_a_source() -> None:
    # WHEN
    content = json.loads(PRICES.read_text())

    # THEN
    assert content["prices"]
    for price in content["prices"].values():
        assert price["usd"] > 0
        assert price["per"] in ("hour", "month", "million")
        assert price["source"].startswith("https://")
        assert price["seen"]
