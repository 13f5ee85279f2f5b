"""Estimate the costs of an environment: of each resource by hour and month, and of a million images.

Resources and their sizes come from Terraform's plan, and prices from `prices.json`.
"""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import OperatorError
from common.terminal import WIDTH, counted

PRICES = Path(__file__).with_name("prices.json")
COST_FILE = "cost.txt"  # file in `build/<environment>/` with the estimate
HOURS_PER_MONTH = 730  # AWS's estimates use the same number

# The following values are assumptions, because a plan does not contain them.
# States of a successful execution, each billed as one transition: https://aws.amazon.com/step-functions/pricing/
# The first tuple is for a driver's photograph, the second for the course's input format (`image_data`, `s3_bucket`,
# `s3_key`)
PHOTOGRAPH_STATES = ("Input", "FindItem", "IsFound", "Serialize", "Classify", "Filter", "IsEvent", "RecordVehicle")
COURSE_STATES = ("Input", "Serialize", "Classify", "Filter", "IsEvent", "Record")
FUNCTION_SECONDS = 0.1  # duration of one invocation of a Lambda function
DRIFT_INSTANCE, DRIFT_MINUTES = "ml.m5.xlarge", 10  # instance type and duration of a drift job, billed by the second
DRIFT_METRICS = 5  # a drift job publishes one metric for each group of properties, and the number of images
ZONES = 2  # number of availability zones of a VPC whose subnets are not known yet

# Prefixes of resource types that are not billed, or are billed as part of another resource. The estimate does not list
# them as resources without a price
UNBILLED = (
    "aws_iam_",
    "aws_s3_bucket_",
    "terraform_data",
    "aws_kms_alias",
    "aws_sns_topic_policy",
    "aws_appautoscaling_",
    "aws_route_table",
    "aws_security_group",
    "aws_subnet",
    "aws_vpc",  # includes security group rules and the S3 gateway endpoint; interface endpoints have a price
    "aws_flow_log",  # billed as logs
    "aws_cloudwatch_event_",  # rules are free; the S3 events that start executions are billed per million images
    "aws_sqs_queue",  # billed by message, and a dead-letter queue normally receives no messages
    "aws_ssm_parameter",
    "aws_sagemaker_model",  # includes model package groups; model files are billed as S3 storage
)
BATCH = {"classify_batch", "summarize"}  # functions of batch executions, which are not invoked once per image
NOT_COUNTED = (
    "storage, logs, captured data, data transfer (also through VPC endpoints), requests to KMS keys and their "
    "rotation, training, tuning and batch transform jobs, the second set of instances during a deployment, the alarms "
    "of auto scaling, metrics of failures, failed executions and retries, notifications, free tiers, taxes"
)
SERVERLESS_PRICES = "https://aws.amazon.com/sagemaker/ai/pricing/"


@dataclass(frozen=True)
class Cost:
    """A line of the estimate.

    Attributes
    ----------
    address : short address of the resource
    item : description of the billed item
    hourly : cost in USD per hour
    per_million : cost in USD per million images
    """

    address: str
    item: str
    hourly: float = 0.0
    per_million: float = 0.0


class PriceTable:
    """List prices of one region.

    Parameters
    ----------
    content : content of `prices.json`
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.region: str = content["region"]
        self.checked: str = content["checked"]
        self._prices = content["prices"]

    def check_region(self, region: str) -> None:
        """Check that the prices are those of a region.

        Raises
        ------
        OperatorError
            The prices are those of another region.
        """
        if region != self.region:
            raise OperatorError(
                f"{PRICES.name} has prices for {self.region} only (got {region}): add the region's prices"
            )

    def hourly(self, name: str) -> float:
        """Return an item's price in USD per hour; a monthly price is divided by HOURS_PER_MONTH."""
        price = self._prices[name]
        return float(price["usd"]) / (HOURS_PER_MONTH if price["per"] == "month" else 1)

    def has(self, name: str) -> bool:
        """Return whether the table has a price for an item."""
        return name in self._prices

    def per_million(self, name: str) -> float:
        """Return the price in USD of a million units of an item."""
        return float(self._prices[name]["usd"])

    def instances(self, address: str, instance_type: str, count: int) -> Cost:
        """Return the hourly cost of instances of one type.

        Parameters
        ----------
        address : short address of the resource to which the instances belong

        Raises
        ------
        OperatorError
            The instance type has no price. The estimate must not omit the endpoint, which is the largest cost.
        """
        if not self.has(instance_type):
            raise OperatorError(f"{PRICES.name} has no price for {instance_type}: add it, with its source")
        return Cost(address, f"{count} {instance_type}", hourly=count * self.hourly(instance_type))


def read_prices() -> PriceTable:
    """Return the prices in `prices.json`."""
    return PriceTable(json.loads(PRICES.read_text()))


def estimate(environment: str, plan: Mapping[str, Any], prices: PriceTable) -> Iterator[str]:
    """Yield the lines of an estimate.

    Parameters
    ----------
    plan : content of a plan, as `terraform show -json` prints it

    Raises
    ------
    OperatorError
        The plan's region is not the region of the prices, or an instance type has no price.
    """
    prices.check_region(plan["variables"]["region"]["value"])
    variables = {name: variable.get("value") for name, variable in plan["variables"].items()}
    planned = list(resources(plan["planned_values"]["root_module"]))
    costs = sorted(all_costs(planned, variables, prices), key=lambda cost: -cost.hourly)
    yield f"{environment}: list prices in USD, {prices.region}, {prices.checked} (sources: {PRICES.name})"
    yield f"{'hour':>{WIDTH - 10}}{'month':>10}"
    yield from table([cost for cost in costs if cost.hourly], [("hourly", 1, 4), ("hourly", HOURS_PER_MONTH, 2)])
    yield from maximum(variables, sum(cost.hourly for cost in costs), prices)
    yield ""
    yield f"{'million images':>{WIDTH}}"
    yield from table([cost for cost in costs if cost.per_million], [("per_million", 1, 2)])
    yield ""
    unpriced = Counter(resource["type"] for resource in planned if is_unpriced(resource, variables, prices))
    for note in notes(variables, unpriced):
        yield from textwrap.wrap(note, WIDTH, break_on_hyphens=False)


def notes(variables: Mapping[str, Any], unpriced: Mapping[str, int]) -> Iterator[str]:
    """Yield sentences about costs that the estimate does not include."""
    if unpriced:
        yield f"no price in the table: {', '.join(f'{kind} ({count})' for kind, count in sorted(unpriced.items()))}"
    yield f"not counted: {NOT_COUNTED}"
    yield "batch executions are billed by batch: `make image-costs` compares them with single executions"
    if variables["serverless"]:
        yield (
            "also not counted: the serverless endpoint, billed by memory and duration of its requests: "
            f"{SERVERLESS_PRICES}"
        )
    if hours := variables["endpoint_hours"]:
        yield f"the endpoint is deleted after {counted(hours, 'hour')} unless extended; monthly costs ignore this"


def table(costs: list[Cost], columns: list[tuple[str, int, int]]) -> Iterator[str]:
    """Yield the rows of a table and a row with the totals.

    Parameters
    ----------
    columns : for each column, a field of `Cost`, the factor by which its values are multiplied, and the number of
        decimals
    """

    def values(*costs: Cost) -> list[tuple[float, int]]:
        return [(sum(getattr(cost, field) for cost in costs) * factor, decimals) for field, factor, decimals in columns]

    for cost in costs:
        yield row(f"{cost.address}: {cost.item}", values(cost))
    yield row("total", values(*costs))


def row(name: str, values: list[tuple[float, int]]) -> str:
    """Return a row of a table.

    Parameters
    ----------
    values : for each column, the value and the number of decimals
    """
    width = WIDTH - 10 * len(values)
    return f"{name[: width - 1]:<{width}}" + "".join(f"{value:>10.{decimals}f}" for value, decimals in values)


def maximum(variables: Mapping[str, Any], hourly: float, prices: PriceTable) -> Iterator[str]:
    """Yield a row with the total cost at the endpoint's maximum number of instances, if the endpoint scales.

    Parameters
    ----------
    hourly : total cost in USD per hour with the minimum number of instances
    """
    most = variables["endpoint_max_instance_count"]
    if most:
        instance_type, fewest = variables["endpoint_instance_type"], variables["endpoint_instance_count"]
        total = hourly + prices.instances("", instance_type, most - fewest).hourly
        yield row(f"maximum, scaled out to {most} {instance_type}", [(total, 4), (total * HOURS_PER_MONTH, 2)])


def resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all resources of a module and of its child modules in a plan or state."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def all_costs(planned: list[dict[str, Any]], variables: Mapping[str, Any], prices: PriceTable) -> Iterator[Cost]:
    """Yield the costs of the planned resources, of the drift jobs, and of the endpoint.

    Until a model is approved, the plan contains no endpoint, so its cost is computed from the variables.
    """
    for resource in planned:
        if resource["mode"] == "managed":
            yield from costs_of(resource, variables, prices)
    has_endpoint = any(resource["type"] == "aws_sagemaker_endpoint" for resource in planned)
    if not has_endpoint and variables.get("serverless") is None:
        instance_type, count = variables["endpoint_instance_type"], variables["endpoint_instance_count"]
        yield prices.instances("endpoint, once a model is approved", instance_type, count)
    yield from drift_costs(variables, prices)


def costs_of(resource: Mapping[str, Any], variables: Mapping[str, Any], prices: PriceTable) -> Iterator[Cost]:
    """Yield the costs of a resource; yield nothing if the resource has no price."""
    address, values = shorten(resource["address"]), resource.get("values", {})
    match resource["type"]:
        case "aws_lambda_function" | "aws_sfn_state_machine" if is_batch(resource):
            pass
        case "aws_sagemaker_endpoint_configuration":
            for variant in values["production_variants"]:
                if variant.get("instance_type"):
                    # the number in the settings, because the planned number may be higher after the endpoint has scaled
                    yield prices.instances(address, variant["instance_type"], variables["endpoint_instance_count"])
        case "aws_kms_key":
            yield Cost(address, "key", hourly=prices.hourly("kms_key"))
        case "aws_vpc_endpoint" if values.get("vpc_endpoint_type") == "Interface":
            zones = ZONES if values.get("subnet_ids") is None else len(values["subnet_ids"])
            yield Cost(address, f"in {counted(zones, 'zone')}", hourly=zones * prices.hourly("vpc_interface_endpoint"))
        case "aws_cloudwatch_log_metric_filter":
            yield Cost(address, "metric", hourly=prices.hourly("custom_metric"))
        case "aws_cloudwatch_dashboard":
            yield Cost(address, "dashboard", hourly=prices.hourly("dashboard"))
        case "aws_cloudwatch_metric_alarm":
            metrics = sum(bool(query["metric"]) for query in values.get("metric_query") or []) or 1
            yield Cost(
                address, f"alarm on {counted(metrics, 'metric')}", hourly=metrics * prices.hourly("alarm_metric")
            )
        case "aws_lambda_function":
            gb_seconds = values["memory_size"] / 1024 * FUNCTION_SECONDS
            cost = prices.per_million("lambda_request") + gb_seconds * prices.per_million("lambda_gb_second")
            yield Cost(address, f"{FUNCTION_SECONDS} s at {values['memory_size']} MB", per_million=cost)
            if resource.get("index") == "serialize":
                yield Cost(address, "reads one object", per_million=prices.per_million("s3_get"))
        case "aws_sfn_state_machine":
            states = len(PHOTOGRAPH_STATES)
            yield Cost(address, f"{states} states", per_million=states * prices.per_million("state_transition"))
            # X-Ray traces the first execution of each second and 5 % of the others. At a low rate, it may trace every
            # execution:
            # https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
            yield Cost(address, "at most one trace", per_million=prices.per_million("xray_trace"))
        case "aws_dynamodb_table":
            # a write in a transaction counts as two writes, and each index adds one write:
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
            writes = 2 + len(values.get("global_secondary_index") or ())
            yield Cost(address, f"one item, {writes} writes", per_million=writes * prices.per_million("dynamodb_write"))
            if values.get("range_key"):  # the state FindItem reads the table of object versions
                yield Cost(address, "one read", per_million=prices.per_million("dynamodb_read"))
        case "aws_s3_bucket_notification":
            yield Cost(address, "one event", per_million=prices.per_million("s3_event"))


def drift_costs(variables: Mapping[str, Any], prices: PriceTable) -> Iterator[Cost]:
    """Yield the costs of the drift jobs and of the metrics that they publish.

    The estimate assumes one job for each window, a period of `drift_window_hours`.
    """
    if variables.get("drift_schedule") and variables["capture_percentage"]:
        hours = variables["drift_window_hours"]
        # an instance of a processing job has the same price as an endpoint's instance of this type
        hourly = prices.instances("", DRIFT_INSTANCE, 1).hourly * DRIFT_MINUTES / 60 / hours
        yield Cost("data_drift", f"{DRIFT_MINUTES} min {DRIFT_INSTANCE} every {counted(hours, 'hour')}", hourly=hourly)
        yield Cost("data_drift", f"{DRIFT_METRICS} metrics", hourly=DRIFT_METRICS * prices.hourly("custom_metric"))


def is_batch(resource: Mapping[str, Any]) -> bool:
    """Return whether a function or a state machine is used only by batch executions."""
    return resource.get("index") in BATCH or str(resource.get("values", {}).get("name", "")).endswith("-batch")


def shorten(address: str) -> str:
    """Return a resource's address without the resource type, `module.` and `.this`.

    Examples
    --------
    >>> shorten('module.observability.aws_cloudwatch_metric_alarm.this["workflow-failures"]')
    'observability["workflow-failures"]'
    """
    return re.sub(r"\.aws_\w+", "", address.replace("module.", "")).replace(".this", "")


def is_unpriced(resource: Mapping[str, Any], variables: Mapping[str, Any], prices: PriceTable) -> bool:
    """Return whether a resource may be billed but the price table has no price for it."""
    if resource["mode"] != "managed" or resource["type"].startswith(UNBILLED):
        return False
    # the endpoint's instances are counted with its configuration, and `make image-costs` estimates batch executions
    if resource["type"] == "aws_sagemaker_endpoint" or is_batch(resource):
        return False
    return not list(costs_of(resource, variables, prices))
