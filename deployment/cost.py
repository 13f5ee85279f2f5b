"""Estimate what an environment costs: by hour and month for each resource, and for a million images.

Resources and sizes come from Terraform's plan, prices from `prices.json`.
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
COST_FILE = "cost.txt"  # the estimate, in the environment's directory
HOURS_PER_MONTH = 730  # as in AWS's own estimates

# Assumptions, because a plan does not contain these figures
# States of a successful execution, each billed as one transition: https://aws.amazon.com/step-functions/pricing/
PHOTOGRAPH_STATES = ("Input", "FindItem", "IsFound", "Serialize", "Classify", "Filter", "IsEvent", "RecordVehicle")
COURSE_STATES = ("Input", "Serialize", "Classify", "Filter", "IsEvent", "Record")  # for the course's input
FUNCTION_SECONDS = 0.1  # duration of a Lambda function
DRIFT_INSTANCE, DRIFT_MINUTES = "ml.m5.xlarge", 10  # of a drift job, of which SageMaker bills each second
DRIFT_METRICS = 5  # one for each group of properties, and the number of images
ZONES = 2  # availability zones of a VPC whose subnets do not exist yet

# Not billed, or billed as part of another resource: omitted from the list of resources without a price
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
    "aws_vpc",  # includes security group rules and the gateway endpoint of S3; interface endpoints have a price
    "aws_flow_log",  # billed as logs
    "aws_cloudwatch_event_",  # rules are free, and so are events except those of S3
    "aws_sqs_queue",  # billed by message; a dead-letter queue has none
    "aws_ssm_parameter",
    "aws_sagemaker_model",  # includes model package groups; their files are billed as S3 storage
)
BATCH = {"classify_batch", "summarize"}  # functions of batch executions, which do not run once per image
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
    item : what is billed
    hourly : USD for an hour
    per_million : USD for a million images
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

    def hourly(self, name: str) -> float:
        """Return an hourly price in USD; monthly prices are converted."""
        price = self._prices[name]
        return float(price["usd"]) / (HOURS_PER_MONTH if price["per"] == "month" else 1)

    def has(self, name: str) -> bool:
        """Return whether the table has a price."""
        return name in self._prices

    def per_million(self, name: str) -> float:
        """Return the price in USD of a million units."""
        return float(self._prices[name]["usd"])

    def instances(self, address: str, instance_type: str, count: int) -> Cost:
        """Return the cost of an endpoint's instances.

        Raises
        ------
        OperatorError
            The instance type has no price. The estimate must not omit the largest cost.
        """
        if not self.has(instance_type):
            raise OperatorError(f"{PRICES.name} has no price for {instance_type}: add it, with its source")
        return Cost(address, f"{count} {instance_type}", hourly=count * self.hourly(instance_type))


def read_prices() -> PriceTable:
    """Return the prices of `prices.json`."""
    return PriceTable(json.loads(PRICES.read_text()))


def estimate(environment: str, plan: Mapping[str, Any], prices: PriceTable) -> Iterator[str]:
    """Yield the lines of an estimate.

    Parameters
    ----------
    plan : content of a plan, as `terraform show -json` prints it

    Raises
    ------
    OperatorError
        The plan is for another region than the prices, or an instance type has no price.
    """
    region = plan["variables"]["region"]["value"]
    if region != prices.region:
        raise OperatorError(
            f"{PRICES.name} has prices for {prices.region} only, but the plan is for {region}: add its prices"
        )
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
    """Yield what the estimate does not include."""
    yield f"no price in the table: {', '.join(f'{kind} ({count})' for kind, count in sorted(unpriced.items()))}"
    yield f"not counted: {NOT_COUNTED}"
    yield "batch executions are billed by batch: `make image-costs` compares a million images"
    if variables["serverless"]:
        yield (
            "also not counted: the serverless endpoint, billed by memory and duration of its requests: "
            f"{SERVERLESS_PRICES}"
        )
    if hours := variables["endpoint_hours"]:
        yield f"the endpoint is deleted after {counted(hours, 'hour')} unless extended; the month is without this limit"


def table(costs: list[Cost], columns: list[tuple[str, int, int]]) -> Iterator[str]:
    """Yield the rows of a table and its total; each column has a field of `Cost`, a factor and its decimals."""

    def values(*costs: Cost) -> list[tuple[float, int]]:
        return [(sum(getattr(cost, field) for cost in costs) * factor, decimals) for field, factor, decimals in columns]

    for cost in costs:
        yield row(f"{cost.address}: {cost.item}", values(cost))
    yield row("total", values(*costs))


def row(name: str, values: list[tuple[float, int]]) -> str:
    """Return a row of a table; each value comes with its decimals."""
    width = WIDTH - 10 * len(values)
    return f"{name[: width - 1]:<{width}}" + "".join(f"{value:>10.{decimals}f}" for value, decimals in values)


def maximum(variables: Mapping[str, Any], hourly: float, prices: PriceTable) -> Iterator[str]:
    """Yield the total when the endpoint has scaled out, if it scales.

    Parameters
    ----------
    hourly : total in USD for an hour with the minimum number of instances
    """
    most = variables["endpoint_max_instance_count"]
    if most:
        instance_type, fewest = variables["endpoint_instance_type"], variables["endpoint_instance_count"]
        total = hourly + prices.instances("", instance_type, most - fewest).hourly
        yield row(f"maximum, scaled out to {most} {instance_type}", [(total, 4), (total * HOURS_PER_MONTH, 2)])


def resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every resource of a module in a plan or state, and of its child modules."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def all_costs(planned: list[dict[str, Any]], variables: Mapping[str, Any], prices: PriceTable) -> Iterator[Cost]:
    """Yield the costs of the planned resources, and of the endpoint if it is not planned before a model is approved."""
    for resource in planned:
        if resource["mode"] == "managed":
            yield from costs_of(resource, variables, prices)
    has_endpoint = any(resource["type"] == "aws_sagemaker_endpoint" for resource in planned)
    if not has_endpoint and variables.get("serverless") is None:
        instance_type, count = variables["endpoint_instance_type"], variables["endpoint_instance_count"]
        yield prices.instances("endpoint, once a model is approved", instance_type, count)
    yield from drift_costs(variables, prices)


def costs_of(resource: Mapping[str, Any], variables: Mapping[str, Any], prices: PriceTable) -> Iterator[Cost]:
    """Yield the costs of a resource, none if it has no price."""
    address, values = shorten(resource["address"]), resource.get("values", {})
    match resource["type"]:
        case "aws_lambda_function" | "aws_sfn_state_machine" if is_batch(resource):
            pass
        case "aws_sagemaker_endpoint_configuration":
            for variant in values["production_variants"]:
                if variant.get("instance_type"):
                    # not the planned number, which may be the one to which the endpoint had scaled
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
            # X-Ray traces the first execution of each second and 5 % of the others, so at most every one of them:
            # https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
            yield Cost(address, "at most one trace", per_million=prices.per_million("xray_trace"))
        case "aws_dynamodb_table":
            # a write in a transaction counts twice, and each index is another write:
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
            writes = 2 + len(values.get("global_secondary_index") or ())
            yield Cost(address, f"one item, {writes} writes", per_million=writes * prices.per_million("dynamodb_write"))
            if values.get("range_key"):  # the state FindItem reads the table of object versions
                yield Cost(address, "one read", per_million=prices.per_million("dynamodb_read"))
        case "aws_s3_bucket_notification":
            yield Cost(address, "one event", per_million=prices.per_million("s3_event"))


def drift_costs(variables: Mapping[str, Any], prices: PriceTable) -> Iterator[Cost]:
    """Yield the costs of the drift jobs, if each window is compared once, and of the metrics that they publish."""
    if variables.get("drift_schedule") and variables["capture_percentage"]:
        hours = variables["drift_window_hours"]
        # SageMaker bills a processing instance like an endpoint's of the same type
        hourly = prices.instances("", DRIFT_INSTANCE, 1).hourly * DRIFT_MINUTES / 60 / hours
        yield Cost("data_drift", f"{DRIFT_MINUTES} min {DRIFT_INSTANCE} every {counted(hours, 'hour')}", hourly=hourly)
        yield Cost("data_drift", f"{DRIFT_METRICS} metrics", hourly=DRIFT_METRICS * prices.hourly("custom_metric"))


def is_batch(resource: Mapping[str, Any]) -> bool:
    """Return whether a function or a state machine belongs to batch executions."""
    return resource.get("index") in BATCH or str(resource.get("values", {}).get("name", "")).endswith("-batch")


def shorten(address: str) -> str:
    """Return a resource's address without its type and the words that all addresses have.

    Examples
    --------
    >>> shorten('module.observability.aws_cloudwatch_metric_alarm.this["workflow-failures"]')
    'observability["workflow-failures"]'
    """
    return re.sub(r"\.aws_\w+", "", address.replace("module.", "")).replace(".this", "")


def is_unpriced(resource: Mapping[str, Any], variables: Mapping[str, Any], prices: PriceTable) -> bool:
    """Return whether a resource may be billed but has no price in the table."""
    if resource["mode"] != "managed" or resource["type"].startswith(UNBILLED):
        return False
    # the endpoint's configuration contains the instances, and `make image-costs` has the price of batch executions
    if resource["type"] == "aws_sagemaker_endpoint" or is_batch(resource):
        return False
    return not list(costs_of(resource, variables, prices))
