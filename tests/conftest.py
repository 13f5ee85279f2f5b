"""Mark tests with their tier, and distribute them over the processes of pytest-xdist."""

import signal
from pathlib import Path

import pytest

pytest_plugins = ("tests.support.browser",)

ROOT = Path(__file__).resolve().parents[1]
# Groups that take more than half a minute. They start first, so that only short tests are left at the end of a run.
# xdist assigns a second group to a process whose first group has only one or two tests. The first two groups therefore
# have many tests.
SLOW_GROUPS = (
    "endpoint",
    "local",
    "five classes",
    "demo",
    "real",
    "production",
    "dev",
    "terraform tests",
)
TIERS = ("e2e", "contract", "real", "unit")

# A shell starts background jobs with SIGINT ignored, which the commands that tests interrupt would inherit
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
    """Return a test's sort key: slow groups come first, then the tiers in order."""
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    group = marker.args[0]
    return SLOW_GROUPS.index(group) if group in SLOW_GROUPS else len(SLOW_GROUPS) + TIERS.index(tier(item))
