"""The comparison of single and batch executions, and the documentation's copy of it."""

import re

import pytest

from common.paths import TERRAFORM_DIRECTORY
from common.terminal import WIDTH
from deployment import image_costs
from deployment.cost import read_prices
from deployment.image_costs import batch_quantities, single_quantities, table, total
from tests.support.project import ROOT

FUNCTIONS = (TERRAFORM_DIRECTORY / "modules" / "functions" / "main.tf").read_text()
SETTINGS = (TERRAFORM_DIRECTORY / "modules" / "batch_definition" / "variables.tf").read_text()


def test_batch_executions_cost_at_most_a_tenth() -> None:
    prices = read_prices()
    assert total(batch_quantities(), prices) <= total(single_quantities(), prices) / 10


@pytest.mark.parametrize(
    ("text", "pattern", "value"),
    [
        (SETTINGS, r"batch_size\s+= optional\(number, (\d+)\)", image_costs.BATCH_SIZE),
        (SETTINGS, r"max_concurrency\s+= optional\(number, (\d+)\)", image_costs.CONCURRENCY),
        (FUNCTIONS, r"classify_batch = \{[^}]*?memory_size = (\d+)", image_costs.BATCH_GB * 1024),
        (FUNCTIONS, r"try\(each\.value\.memory_size, (\d+)\)", image_costs.FUNCTION_GB * 1024),
    ],
    ids=["batch size", "concurrency", "memory of a batch", "memory of a function"],
)
def test_sizes_equal_those_in_terraform(text: str, pattern: str, value: float) -> None:
    found = re.search(pattern, text)
    assert found
    assert float(found[1]) == value


def test_documentation_has_the_current_table() -> None:
    printed = "\n".join(table(read_prices()))
    assert printed in (ROOT / "docs" / "throughput.md").read_text(), "copy the output of `make image-costs`"
    assert all(len(line) <= WIDTH for line in printed.splitlines())
