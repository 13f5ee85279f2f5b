"""Compute the costs of a million images with single executions and with batch executions.

A single execution is started by an S3 event and classifies one driver's photograph. The quantities follow from the
state machines and from the constants below: sizes that `terraform/modules` sets, and assumed durations, which in
reality depend on the images and the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployment.cost import COURSE_STATES, FUNCTION_SECONDS, PHOTOGRAPH_STATES, PRICES, PriceTable

IMAGES = 1_000_000
CHOICES = {"Input", "IsFound", "IsEvent"}  # Choice states, whose duration is negligible
FUNCTIONS = 3  # serialize, classify, filter
FUNCTION_GB = 0.25  # memory of each of these functions
# RecordVehicle writes two items in a transaction, in which a write of up to 1 KB counts as two writes. One of the items
# has an entry in an index, which is another write:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
PHOTOGRAPH_WRITES = 2 * 2 + 1
CONCURRENCY = 8  # executions or batches that run at the same time

BATCH_SIZE = 100  # images
BATCH_GB = 1.0  # memory of the function classify_batch
BATCH_SECONDS = 2.0  # assumed duration of a batch
# An Express execution is billed in steps of 64 MB: https://aws.amazon.com/step-functions/pricing/
EXPRESS_GB = 64 / 1024
KEYS_PER_LIST_REQUEST = 1000

ENDPOINT = "ml.m5.xlarge"


@dataclass(frozen=True)
class Item:
    """A billed item.

    Attributes
    ----------
    name : name of the item in the printed table
    price : name of the item in `prices.json`, where its price is per million units, or per hour for the endpoint
    """

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
    Item("S3 events", "s3_event"),
    Item("DynamoDB reads", "dynamodb_read"),
    Item("DynamoDB writes", "dynamodb_write"),
    Item("traces, at most", "xray_trace"),
    Item("endpoint hours", ENDPOINT),
)


def single_quantities() -> dict[str, float]:
    """Return the billed quantities of a million executions with drivers' photographs, by name in the price table."""
    return {
        **_execution_quantities(PHOTOGRAPH_STATES),
        "s3_event": IMAGES,
        "dynamodb_read": IMAGES,
        "dynamodb_write": IMAGES * PHOTOGRAPH_WRITES,
    }


def course_quantities() -> dict[str, float]:
    """Return the billed quantities of a million executions with the course's input format, which write one item each.

    The course's input has the fields `image_data`, `s3_bucket` and `s3_key`.
    """
    return {**_execution_quantities(COURSE_STATES), "dynamodb_write": IMAGES}


def _execution_quantities(states: Sequence[str]) -> dict[str, float]:
    """Return the billed quantities of a million executions, except S3 events and requests to DynamoDB."""
    seconds = FUNCTION_SECONDS * sum(state not in CHOICES for state in states)
    return {
        "state_transition": IMAGES * len(states),
        "lambda_request": IMAGES * FUNCTIONS,
        "lambda_gb_second": IMAGES * FUNCTIONS * FUNCTION_SECONDS * FUNCTION_GB,
        "s3_get": IMAGES,
        "xray_trace": IMAGES,
        ENDPOINT: hours(CONCURRENCY / seconds),
    }


def batch_quantities() -> dict[str, float]:
    """Return the billed quantities of a batch execution of a million images, by name in the price table."""
    batches = IMAGES // BATCH_SIZE
    return {
        # ChooseSource, the Map state and Summarize, and one transition for the start of each child execution. AWS does
        # not document whether the start counts as a transition
        "state_transition": 3 + batches,
        "express_request": batches,
        "express_gb_second": batches * BATCH_SECONDS * EXPRESS_GB,
        "lambda_request": batches + 1,
        "lambda_gb_second": batches * BATCH_SECONDS * BATCH_GB,
        "s3_get": IMAGES + batches,  # each batch first checks whether its result object exists
        "s3_put": batches + IMAGES // KEYS_PER_LIST_REQUEST,
        "xray_trace": batches,
        ENDPOINT: hours(CONCURRENCY * BATCH_SIZE / BATCH_SECONDS),
    }


def hours(images_per_second: float) -> float:
    """Return the number of hours that the classification of a million images takes."""
    return IMAGES / images_per_second / 3600


def total(quantities: Mapping[str, float], prices: PriceTable) -> float:
    """Return the total cost in USD of billed quantities."""
    return sum(cost(name, quantity, prices) for name, quantity in quantities.items())


def cost(name: str, quantity: float, prices: PriceTable) -> float:
    """Return the cost in USD of one billed quantity."""
    return quantity * prices.hourly(name) if name == ENDPOINT else quantity / 1e6 * prices.per_million(name)


def table(prices: PriceTable) -> Iterator[str]:
    """Yield the lines of a table that compares the costs of single and batch executions."""
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
    yield f"a single execution classifies a driver's photograph: {len(PHOTOGRAPH_STATES)} transitions"
    yield f"with the course's input: {len(COURSE_STATES)} transitions, total {total(course_quantities(), prices):.2f}"
    yield ""
    batch_duration = f"{BATCH_SECONDS:g} s for a batch of {BATCH_SIZE} images"
    yield f"assumed: {FUNCTION_SECONDS:g} s for a state that is not a Choice, {batch_duration},"
    yield f"{CONCURRENCY} executions or batches at the same time, one {ENDPOINT} until the end"
