"""Tiers, and the distribution of tests over processes."""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Slow tests first, so that short ones fill the processes at the end
ORDER = ("e2e", "contract", "real", "unit")

# The AWS provider spends a third of its time on garbage collection with Go's default of 100
os.environ.setdefault("GOGC", "400")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, sort by tier, and keep the tests of a file in one process.

    A slow test that no other test shares a fixture with has an `xdist_group` of its own.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(TESTS.parent).as_posix()))
        if tier(item) in ("contract", "e2e") and TESTS in item.path.parents:
            item.add_marker(tier(item))
    items.sort(key=lambda item: ORDER.index(tier(item)))


def tier(item: pytest.Item) -> str:
    """Return the name of the directory below `tests`, here or of the emulator."""
    parts = item.path.relative_to(TESTS.parent).parts
    return parts[parts.index("tests") + 1] if len(parts) > 2 else "unit"
