import json
from typing import Any

import pytest

from scripts.cost import PRICES, PriceError, Table, report

CONTENT = {
    "region": "us-east-1",
    "checked": "2026-01-31",
    "prices": {
        "ml.m5.xlarge": {"usd": 0.5, "per": "hour"},
        "kms_key": {"usd": 1.0, "per": "month"},
        "vpc_interface_endpoint": {"usd": 0.01, "per": "hour"},
        "alarm_metric": {"usd": 0.1, "per": "month"},
        "dashboard": {"usd": 3.0, "per": "month"},
        "lambda_request": {"usd": 0.2, "per": "million"},
        "lambda_gb_second": {"usd": 16.0, "per": "million"},
        "s3_get": {"usd": 0.4, "per": "million"},
        "state_transition": {"usd": 25.0, "per": "million"},
        "xray_trace": {"usd": 5.0, "per": "million"},
        "dynamodb_write": {"usd": 0.6, "per": "million"},
    },
}


def make_resource(kind: str, module: str = "some", **values: Any) -> dict[str, Any]:
    return {"address": f"module.{module}.{kind}.this", "mode": "managed", "type": kind, "values": values}


def make_plan(*resources: dict[str, Any], **variables: Any) -> dict[str, Any]:
    """A plan as `terraform show -json` has it, with its resources in a module of a module."""
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


def printed(plan: dict[str, Any]) -> dict[str, list[str]]:
    """The figures of each line, by what stands before them."""
    found: dict[str, list[str]] = {}
    for line in report("dev", plan, Table(CONTENT)):
        words = line.split()
        figures = [word for word in words if word.replace(".", "").isdecimal() and "." in word]
        found.setdefault(" ".join(word for word in words if word not in figures), []).extend(figures)
    return found


def test_what_is_billed_by_time_is_told_by_hour_and_month() -> None:
    # GIVEN
    variant = {"instance_type": "ml.m5.xlarge", "initial_instance_count": 2}
    endpoint = [
        make_resource("aws_sagemaker_endpoint"),
        make_resource("aws_sagemaker_endpoint_configuration", production_variants=[variant]),
    ]

    # WHEN
    lines = printed(make_plan(*endpoint, make_resource("aws_kms_key")))

    # THEN
    assert lines["some: 2 ml.m5.xlarge"] == ["1.0000", "730.00"]
    assert lines["some: key"] == ["0.0014", "1.00"]
    assert lines["total"] == ["1.0014", "731.00", "0.00"]


@pytest.mark.parametrize("known", [{"subnet_ids": ["subnet-1", "subnet-2"]}, {}], ids=["subnets", "not made yet"])
def test_a_vpcs_interface_endpoint_is_billed_in_each_zone_and_its_gateway_is_not(known: dict[str, Any]) -> None:
    # GIVEN
    interface = make_resource("aws_vpc_endpoint", vpc_endpoint_type="Interface", **known)
    gateway = make_resource("aws_vpc_endpoint", module="other", vpc_endpoint_type="Gateway")

    # WHEN
    lines = printed(make_plan(interface, gateway))

    # THEN
    assert lines["some: in 2 zones"] == ["0.0200", "14.60"]
    assert not any(line.startswith("other.") for line in lines)


def test_what_an_endpoint_costs_that_has_scaled_out_is_told_as_the_most() -> None:
    # WHEN it has two to four instances
    plan = make_plan(make_resource("aws_kms_key"), endpoint_instance_count=2, endpoint_max_instance_count=4)
    lines = printed(plan)

    # THEN
    assert lines["total"][:2] == ["1.0014", "731.00"]
    assert lines["at most, scaled out to 4 ml.m5.xlarge"] == ["2.0014", "1461.00"]
    assert not any(line.startswith("at most") for line in printed(make_plan()))


def test_an_endpoint_that_waits_for_its_model_is_told_of() -> None:
    assert printed(make_plan())["endpoint, once a model is approved: 1 ml.m5.xlarge"] == ["0.5000", "365.00"]


def test_a_serverless_endpoint_costs_nothing_by_time() -> None:
    # GIVEN
    variant = {"instance_type": None, "serverless_config": [{"memory_size_in_mb": 2048}]}
    resources = [
        make_resource("aws_sagemaker_endpoint"),
        make_resource("aws_sagemaker_endpoint_configuration", production_variants=[variant]),
    ]

    # WHEN
    lines = printed(make_plan(*resources, serverless={"memory_size_in_mb": 2048, "max_concurrency": 5}))

    # THEN what it costs by use is not in the table, which is said
    assert not any("ml." in line for line in lines)
    assert any("aws_sagemaker_endpoint_configuration (1)" in line for line in lines)
    assert any(line.startswith("nor the serverless endpoint") for line in lines)
    assert not any(line.startswith("nor the serverless endpoint") for line in printed(make_plan()))


def test_executions_that_come_one_by_one_are_all_traced() -> None:
    lines = printed(make_plan(make_resource("aws_sfn_state_machine")))

    assert lines["some: a trace at most"] == ["5.00"]


def test_an_alarm_is_billed_by_its_metrics() -> None:
    # GIVEN an expression over two metrics, and an alarm on one
    queries = [{"expression": "a - b", "metric": []}, {"metric": [{}]}, {"metric": [{}]}]

    # WHEN
    lines = printed(
        make_plan(
            make_resource("aws_cloudwatch_metric_alarm", "two", metric_query=queries),
            make_resource("aws_cloudwatch_metric_alarm", "one", metric_query=[]),
        )
    )

    # THEN
    assert lines["two: alarm on 2 metrics"][1] == "0.20"
    assert lines["one: alarm on 1 metrics"][1] == "0.10"


def test_what_is_billed_by_use_is_told_by_a_million_images() -> None:
    # WHEN a function has a quarter of a GB for a tenth of a second, 0.4 USD a million, and 0.2 a million requests
    lines = printed(
        make_plan(make_resource("aws_lambda_function", memory_size=256), make_resource("aws_dynamodb_table"))
    )

    # THEN
    figures = {line: found for line, found in lines.items() if line.startswith("some: ")}
    assert list(figures.values()) == [["0.1", "0.60"], ["0.60"]]
    assert lines["total"][-1] == "1.20"


def test_what_has_no_price_is_named_and_settings_are_not() -> None:
    # WHEN
    lines = printed(make_plan(make_resource("aws_sns_topic"), make_resource("aws_iam_role")))

    # THEN
    assert "no price in the table: aws_sns_topic (1)" in lines


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({"region": "eu-west-1"}, "eu-west-1", id="region"),
        pytest.param({"endpoint_instance_type": "ml.g5.xlarge"}, "no price of ml.g5.xlarge", id="instance"),
    ],
)
def test_the_most_costly_is_never_left_out(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(PriceError, match=said):
        printed(make_plan(**variables))


def test_a_time_to_live_is_told() -> None:
    assert any("ends after 8 hours" in line for line in report("dev", make_plan(endpoint_hours=8), Table(CONTENT)))


def test_every_price_of_the_table_has_its_source() -> None:
    # WHEN
    content = json.loads(PRICES.read_text())

    # THEN
    assert content["prices"]
    for price in content["prices"].values():
        assert price["usd"] > 0
        assert price["per"] in ("hour", "month", "million")
        assert price["source"].startswith("https://")
        assert price["seen"]
