"""What an environment costs: an hour and a month by resource, and what a million images add.

Resources and sizes come from Terraform's plan, prices from the table beside this module (`prices.json`).
"""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.files import write
from deployment.terraform import Terraform
from scripts.command import Environment, OperatorError, run_command

PRICES = Path(__file__).with_name("prices.json")
FILE = "cost.txt"
WIDTH = 80
HOURS = 730  # a month, as AWS counts it in its estimates
MILLION = 1_000_000

# What an image takes where the plan cannot tell: the states it passes (Serialize, Classify, Filter, Record), and the
# time a function is reckoned with. X-Ray traces the first execution of each second and a twentieth of the others
# (https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html): each of those that come one by one.
STATES = 4
ZONES = 2  # of a VPC, whose subnets a plan does not know before they are made
SECONDS = 0.1

# Settings of something else, or billed by nothing: they would only fill the list of what has no price
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
    "aws_vpc",  # and the rules of its groups, and its gateway to S3; its interface endpoint has a price
    "aws_flow_log",  # what it logs is billed as logs
    "aws_sagemaker_model",  # and their groups: what is stored of them lies in S3
)
NOT_COUNTED = (
    "storage, logs, captured data, data transfer (also through a VPC's endpoints), requests to keys, their rotations, "
    "training, tuning and batch transform jobs, the second set of instances while a deployment lasts, the alarms that "
    "scaling makes, metrics of failures, executions that fail or try again, messages, free tiers, taxes"
)
SERVERLESS = "https://aws.amazon.com/sagemaker/ai/pricing/"


class PriceError(OperatorError):
    """The table has no prices for this plan."""


@dataclass(frozen=True)
class Cost:
    """One line: what is billed, how much an hour in USD, and how much a million images in USD."""

    address: str
    what: str
    hourly: float = 0.0
    per_million: float = 0.0


class Table:
    """The prices, each of a day and a source.

    Parameters
    ----------
    content : `prices.json`
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.region: str = content["region"]
        self.checked: str = content["checked"]
        self._prices = content["prices"]

    def knows(self, name: str) -> bool:
        """Whether there is a price of this name."""
        return name in self._prices

    def hourly(self, name: str) -> float:
        """USD an hour of what is billed by the hour or the month."""
        price = self._prices[name]
        return float(price["usd"]) / (HOURS if price["per"] == "month" else 1)

    def per_million(self, name: str) -> float:
        """USD for a million of what is billed by use."""
        return float(self._prices[name]["usd"])


def main(environment: Environment) -> None:
    """Plan, print what the plan costs, and keep it as `cost.txt`, which a pull request is told.

    Raises
    ------
    PriceError
        The plan is for another region than the table.
    """
    # a folder of its own: a plan that `make plan` saved to be applied stays as it is
    terraform = Terraform(environment.name, logs=environment.directory / "cost")
    planned = terraform.plan()
    content = terraform.show(planned)
    planned.path.unlink(missing_ok=True)
    text = "\n".join(report(environment.name, content, Table(json.loads(PRICES.read_text()))))
    write(environment.directory / FILE, f"{text}\n".encode())
    print(text)


def report(environment: str, plan: Mapping[str, Any], prices: Table) -> Iterator[str]:
    """The lines to print.

    Raises
    ------
    PriceError
        The plan is for another region than the table.
    """
    region = plan["variables"]["region"]["value"]
    if region != prices.region:
        raise PriceError(
            f"{PRICES.name} has the prices of {prices.region}, and the plan is for {region}: add its prices"
        )
    found = list(resources(plan["planned_values"]["root_module"]))
    costs = sorted(all_costs(plan, found, prices), key=lambda cost: -cost.hourly)
    yield f"{environment}: list prices of {prices.region}, {prices.checked}, in USD ({PRICES.name} has the sources)"
    yield f"{'hour':>{WIDTH - 10}}{'month':>10}"
    yield from lines([cost for cost in costs if cost.hourly], [("hourly", 1, 4), ("hourly", HOURS, 2)])
    yield from at_most(plan["variables"], sum(cost.hourly for cost in costs), prices)
    yield ""
    yield f"{'million images':>{WIDTH}}"
    yield from lines([cost for cost in costs if cost.per_million], [("per_million", 1, 2)])
    yield ""
    unknown = Counter(each["type"] for each in found if is_unpriced(each, prices))
    for note in notes(plan["variables"], ", ".join(f"{kind} ({count})" for kind, count in sorted(unknown.items()))):
        yield from textwrap.wrap(note, WIDTH, break_on_hyphens=False)


def notes(variables: Mapping[str, Any], unknown: str) -> Iterator[str]:
    """What the figures leave out."""
    yield f"no price in the table: {unknown}"
    yield f"not counted: {NOT_COUNTED}"
    if variables["serverless"].get("value"):
        yield f"nor the serverless endpoint, billed by its memory and the time of its answers: {SERVERLESS}"
    if hours := variables["endpoint_hours"].get("value"):
        yield f"the endpoint ends after {hours} hours, unless it is prolonged: the month is what it would cost without"


def lines(costs: list[Cost], columns: list[tuple[str, int, int]]) -> Iterator[str]:
    """A table of costs with its total; each column names a field, a factor and its decimals."""
    for cost in costs:
        yield row(f"{cost.address}: {cost.what}", [(getattr(cost, name) * times, n) for name, times, n in columns])
    yield row("total", [(sum(getattr(cost, name) for cost in costs) * times, n) for name, times, n in columns])


def row(name: str, values: list[tuple[float, int]]) -> str:
    """What figures are for, and each with its decimals."""
    width = WIDTH - 10 * len(values)
    return f"{name[: width - 1]:<{width}}" + "".join(f"{value:>10.{decimals}f}" for value, decimals in values)


def at_most(variables: Mapping[str, Any], hourly: float, prices: Table) -> Iterator[str]:
    """What all of it costs once the endpoint has scaled out; nothing where it does not scale.

    Parameters
    ----------
    hourly : USD an hour of all that is billed by time, with the fewest instances
    """
    most = variables["endpoint_max_instance_count"].get("value")
    if most:
        kind, fewest = (variables[f"endpoint_instance_{name}"]["value"] for name in ("type", "count"))
        more = instances("", kind, most - fewest, prices).hourly
        yield row(f"at most, scaled out to {most} {kind}", [(hourly + more, 4), ((hourly + more) * HOURS, 2)])


def resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every resource of a planned module and of those below it."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def all_costs(plan: Mapping[str, Any], found: list[dict[str, Any]], prices: Table) -> Iterator[Cost]:
    """What the planned resources cost, and the endpoint where no model is approved yet that it could serve."""
    for resource in found:
        if resource["mode"] == "managed":
            yield from costs_of(resource, prices)
    variables = {name: given.get("value") for name, given in plan["variables"].items()}
    served = any(resource["type"] == "aws_sagemaker_endpoint" for resource in found)
    if not served and variables.get("serverless") is None:
        kind, count = variables["endpoint_instance_type"], variables["endpoint_instance_count"]
        yield instances("endpoint, once a model is approved", kind, count, prices)


def costs_of(resource: Mapping[str, Any], prices: Table) -> Iterator[Cost]:
    """What one resource costs; nothing where it has no price."""
    address, values = short(resource["address"]), resource.get("values", {})
    match resource["type"]:
        case "aws_sagemaker_endpoint_configuration":
            for variant in values["production_variants"]:
                if variant.get("instance_type"):
                    yield instances(address, variant["instance_type"], variant["initial_instance_count"], prices)
        case "aws_kms_key":
            yield Cost(address, "key", hourly=prices.hourly("kms_key"))
        case "aws_vpc_endpoint" if values.get("vpc_endpoint_type") == "Interface":
            zones = ZONES if values.get("subnet_ids") is None else len(values["subnet_ids"])
            yield Cost(address, f"in {zones} zones", hourly=zones * prices.hourly("vpc_interface_endpoint"))
        case "aws_cloudwatch_log_metric_filter":
            yield Cost(address, "metric", hourly=prices.hourly("custom_metric"))
        case "aws_cloudwatch_dashboard":
            yield Cost(address, "dashboard", hourly=prices.hourly("dashboard"))
        case "aws_cloudwatch_metric_alarm":
            metrics = sum(bool(query["metric"]) for query in values.get("metric_query") or []) or 1
            yield Cost(address, f"alarm on {metrics} metrics", hourly=metrics * prices.hourly("alarm_metric"))
        case "aws_lambda_function":
            seconds = values["memory_size"] / 1024 * SECONDS
            cost = prices.per_million("lambda_request") + seconds * prices.per_million("lambda_gb_second")
            yield Cost(address, f"{SECONDS} s at {values['memory_size']} MB", per_million=cost)
            if resource.get("index") == "serialize":
                yield Cost(address, "reads one object", per_million=prices.per_million("s3_get"))
        case "aws_sfn_state_machine":
            yield Cost(address, f"{STATES} states", per_million=STATES * prices.per_million("state_transition"))
            yield Cost(address, "a trace at most", per_million=prices.per_million("xray_trace"))
        case "aws_dynamodb_table":
            yield Cost(address, "one item", per_million=prices.per_million("dynamodb_write"))


def short(address: str) -> str:
    """A resource's module and name, without the words that all have and the type, which what is billed says.

    Examples
    --------
    >>> short('module.observability.aws_cloudwatch_metric_alarm.this["workflow-failures"]')
    'observability["workflow-failures"]'
    """
    return re.sub(r"\.aws_\w+", "", address.replace("module.", "")).replace(".this", "")


def instances(address: str, kind: str, count: int, prices: Table) -> Cost:
    """Instances of an endpoint.

    Raises
    ------
    PriceError
        Their type is not in the table: what costs most must not be left out.
    """
    if not prices.knows(kind):
        raise PriceError(f"{PRICES.name} has no price of {kind}: add it, with its source")
    return Cost(address, f"{count} {kind}", hourly=count * prices.hourly(kind))


def is_unpriced(resource: Mapping[str, Any], prices: Table) -> bool:
    """Whether a resource may be billed and the table does not say how much."""
    covered = resource["type"] == "aws_sagemaker_endpoint"  # its configuration has the instances
    settings = resource["mode"] != "managed" or resource["type"].startswith(UNBILLED)
    return not covered and not settings and not list(costs_of(resource, prices))


if __name__ == "__main__":
    run_command(main, __doc__)
