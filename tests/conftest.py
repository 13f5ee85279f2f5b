"""Mark tests with their tier, and distribute them over the processes of pytest-xdist."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ("tests.support.browser",)

ROOT = Path(__file__).resolve().parents[1]
# xdist assigns the groups in this order. Groups that take minutes start first, so that only short tests are left at the
# end of a run. A process whose first group has only one or two tests gets a second group at once, which then waits for
# the end of these tests. A group that takes minutes must therefore not be the second, except after "dev".
FIRST_GROUPS = (
    "endpoint",  # many tests
    "local",  # many tests
    "five classes",  # two tests, second group: test_documents.py
    "demo",  # one test, second group: test_examples.py
    "real",  # one test, second group: test_imports.py
    "dev",  # one test, second group: production
    "tests/unit/test_documents.py",
    "tests/unit/test_examples.py",
    "tests/unit/test_imports.py",
    "production",
    "terraform tests",
)
TIERS = ("e2e", "contract", "real", "unit")

# A shell starts background jobs with SIGINT ignored, which the commands that tests interrupt would inherit
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Disable the garbage collector during the collection, and exclude all objects that exist afterwards from it.

    Each collection would otherwise visit the objects of more than 4,000 tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Assign each test to an xdist group, mark contract and end-to-end tests, and sort the tests.

    xdist runs each group in one process. By default, the tests of a file are a group. The marker `xdist_group` puts a
    test into another group. All tests that use the small trained model are one group, so only one process trains it.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(default_group(item)))
        if tier(item) in ("contract", "e2e"):
            item.add_marker(tier(item))
    items.sort(key=order)


def default_group(item: pytest.Item) -> str:
    """Return the group of a test without the marker `xdist_group`."""
    if "trained" in getattr(item, "fixturenames", ()):
        return "trained model"
    return str(item.path.relative_to(ROOT))


def tier(item: pytest.Item) -> str:
    """Return a test's tier, such as `unit`: the first directory in the test's path that is named like a tier."""
    return next(part for part in item.path.relative_to(ROOT).parts if part in TIERS)


def order(item: pytest.Item) -> int:
    """Return a test's sort key: the groups of FIRST_GROUPS come first, then the tiers in order."""
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    group = marker.args[0]
    return FIRST_GROUPS.index(group) if group in FIRST_GROUPS else len(FIRST_GROUPS) + TIERS.index(tier(item))
