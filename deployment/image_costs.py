"""Compute the costs of a million images with single executions and with batch executions.

The quantities follow from the state machines. The constants below are assumed durations, which depend on the images and
the model, and sizes that `terraform/modules` sets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployment.cost import FUNCTION_SECONDS, PRICES, PriceTable

IMAGES = 1_000_000
STATES = 4  # Serialize, Classify, Filter and Record; the executions of drivers' photographs have more
FUNCTIONS = 3  # serialize, classify, filter
FUNCTION_GB = 0.25
CONCURRENCY = 8  # executions, or batches, at the same time

BATCH_SIZE = 100
BATCH_GB = 1.0
BATCH_SECONDS = 2.0  # assumed duration of a batch
# An Express execution is billed in steps of 64 MB: https://aws.amazon.com/step-functions/pricing/
EXPRESS_GB = 64 / 1024
LISTED = 1000  # keys in a page of a listing

ENDPOINT = "ml.m5.xlarge"


@dataclass(frozen=True)
class Item:
    """A billed item and its name in the price table. The unit is a million, or an hour for the endpoint."""

    name: str
    price: str


ITEMS = (
    Item("state transitions", "state_transition"),
    Item("Express requests", "express_request"),
    Item("Express GB-seconds", "express_gb_second"),
    Item("function requests", "lambda_request"),
    Item("function GB-seconds", "lambda_gb_second"),
    Item("S3 reads", "s3_get"),
    Item("S3 writes and lists", "s3_put"),
    Item("DynamoDB writes", "dynamodb_write"),
    Item("traces, at most", "xray_trace"),
    Item("endpoint hours", ENDPOINT),
)


def single_quantities() -> dict[str, float]:
    """Return the billed quantities of a million executions, by the name in the price table."""
    return {
        "state_transition": IMAGES * STATES,
        "lambda_request": IMAGES * FUNCTIONS,
        "lambda_gb_second": IMAGES * FUNCTIONS * FUNCTION_SECONDS * FUNCTION_GB,
        "s3_get": IMAGES,
        "dynamodb_write": IMAGES,
        "xray_trace": IMAGES,
        ENDPOINT: hours(CONCURRENCY / (STATES * FUNCTION_SECONDS)),
    }


def batch_quantities() -> dict[str, float]:
    """Return the billed quantities of a batch execution of a million images, by the name in the price table."""
    batches = IMAGES // BATCH_SIZE
    return {
        # ChooseSource, the Map and Summarize, and one transition for the start of each child execution: AWS does not
        # document whether it counts.
        "state_transition": 3 + batches,
        "express_request": batches,
        "express_gb_second": batches * BATCH_SECONDS * EXPRESS_GB,
        "lambda_request": batches + 1,
        "lambda_gb_second": batches * BATCH_SECONDS * BATCH_GB,
        "s3_get": IMAGES + batches,  # each batch first checks whether its result exists
        "s3_put": batches + IMAGES // LISTED,
        "xray_trace": batches,
        ENDPOINT: hours(CONCURRENCY * BATCH_SIZE / BATCH_SECONDS),
    }


def hours(images_per_second: float) -> float:
    """Return the hours that a million images take."""
    return IMAGES / images_per_second / 3600


def total(quantities: Mapping[str, float], prices: PriceTable) -> float:
    """Return the cost of quantities in USD."""
    return sum(cost(name, quantity, prices) for name, quantity in quantities.items())


def cost(name: str, quantity: float, prices: PriceTable) -> float:
    """Return the cost of one quantity in USD."""
    return quantity * prices.hourly(name) if name == ENDPOINT else quantity / 1e6 * prices.per_million(name)


def table(prices: PriceTable) -> Iterator[str]:
    """Yield the lines of the table that compares the costs."""
    single, batch = single_quantities(), batch_quantities()
    yield f"USD for a million images: list prices, {prices.region}, {prices.checked} ({PRICES.name})"
    yield f"{'':<22}{'single executions':>28}{'batch executions':>28}"
    for item in ITEMS:
        columns = (f"{quantities.get(item.price, 0):>18,.1f}" for quantities in (single, batch))
        costs = (f"{cost(item.price, quantities.get(item.price, 0), prices):>10.2f}" for quantities in (single, batch))
        yield f"{item.name:<22}" + "".join(map("".join, zip(columns, costs, strict=True)))
    totals = total(single, prices), total(batch, prices)
    yield f"{'total':<22}{totals[0]:>28.2f}{totals[1]:>28.2f}"
    yield f"a batch execution costs 1/{totals[0] / totals[1]:.0f} of single executions"
    yield ""
    yield f"assumed: {FUNCTION_SECONDS:g} s for a state, {BATCH_SECONDS:g} s for a batch of {BATCH_SIZE} images,"
    yield f"{CONCURRENCY} executions or batches at the same time, one {ENDPOINT} until the end"
