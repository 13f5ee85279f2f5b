"""The costs of single and batch executions, and the copy of their comparison in the documentation."""

import re
from itertools import pairwise

import pytest

from common.paths import TERRAFORM_DIRECTORY
from common.terminal import WIDTH
from deployment import image_costs
from deployment.cost import COURSE_STATES, PHOTOGRAPH_STATES, read_prices
from deployment.image_costs import batch_quantities, course_quantities, single_quantities, table, total
from tests.support.project import ROOT

FUNCTIONS = (TERRAFORM_DIRECTORY / "modules" / "functions" / "main.tf").read_text()
DEFINITION = TERRAFORM_DIRECTORY / "modules" / "state_machine_definition"
SETTINGS = (TERRAFORM_DIRECTORY / "modules" / "batch_definition" / "variables.tf").read_text()


def test_batch_executions_cost_at_most_a_tenth_of_single_executions() -> None:
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
def test_assumed_sizes_equal_the_sizes_in_terraform(text: str, pattern: str, value: float) -> None:
    found = re.search(pattern, text)
    assert found
    assert float(found[1]) == value


def definition_states() -> dict[str, str]:
    """Return the text of each state of the definition in Terraform, by the state's name."""
    text = "\n".join(path.read_text() for path in sorted(DEFINITION.glob("*.tf")))
    return dict(re.findall(r"(?ms)^    ([A-Z]\w+) += (.*?\}\)?)$(?=\n\n|\n    \S|\n  \})", text))


@pytest.mark.parametrize("path", [PHOTOGRAPH_STATES, COURSE_STATES], ids=["photograph", "course"])
def test_states_whose_transitions_are_counted_are_a_path_through_the_definition(path: tuple[str, ...]) -> None:
    # GIVEN
    states = definition_states()

    # WHEN
    targets = {name: set(re.findall(r'\b(?:Next|Default)\s*= "(\w+)"', states[name])) for name in path}

    # THEN
    assert f'StartAt = "{path[0]}"' in (DEFINITION / "main.tf").read_text()
    assert all(target in targets[name] for name, target in pairwise(path)), targets
    assert re.search(r"\bEnd\s+= true", states[path[-1]])
    assert {name for name in path if re.search(r'\bType\s+= "Choice"', states[name])} == image_costs.CHOICES & set(path)


def test_photograph_needs_more_transitions_and_writes_than_an_image_in_the_courses_input_format() -> None:
    # WHEN
    photographs, course = single_quantities(), course_quantities()

    # THEN
    million = 1_000_000
    names = ("state_transition", "dynamodb_write", "dynamodb_read", "s3_event")
    assert [photographs[name] / million for name in names] == [8, 5, 1, 1]
    assert [course.get(name, 0) / million for name in names] == [6, 1, 0, 0]


def test_documentation_contains_the_current_table() -> None:
    printed = "\n".join(table(read_prices()))
    documented = (ROOT / "docs" / "throughput.md").read_text()
    assert printed in documented, "copy the output of `make image-costs`"
    assert f"cost {total(course_quantities(), read_prices()):.2f} USD" in documented
    assert all(len(line) <= WIDTH for line in printed.splitlines())
