"""A person's word: what waits, what may be rejected, and what there is to go back to."""

from typing import Any

import pytest

from registry.model_registry import VersionMissingError, find_version, used_before
from scripts.approval import (
    InUseError,
    NothingPendingError,
    NothingToRollBackToError,
    check_unused,
    newest_pending,
    version_before,
)
from tests.unit.registry.versions import make_version, make_versions
from tests.unit.stacks import make_stack


@pytest.mark.parametrize("name", ["2", "v2", "arn:aws:sagemaker:us-east-1:123456789012:model-package/vehicles/2"])
def test_a_version_has_three_names(name: str) -> None:
    assert find_version(make_versions("Approved", "Rejected"), name).number == 2


def test_a_version_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(VersionMissingError, match="'3': the registry has v2, v1"):
        find_version(make_versions("Approved", "Rejected"), "3")


def test_the_newest_that_waits_is_approved() -> None:
    versions = make_versions("PendingManualApproval", "PendingManualApproval", "Rejected")
    assert newest_pending(versions, make_stack()).number == 2


def test_where_nothing_waits_nothing_is_approved() -> None:
    with pytest.raises(NothingPendingError, match="make train"):
        newest_pending(make_versions("Approved", "Rejected"), make_stack())


class FakeHistory:
    """A parameter's history, in pages that are in no order."""

    def __init__(self, *moves: tuple[int, str]) -> None:
        self._entries = [
            {"Version": version, "Value": make_version(number).arn, "Description": move}
            for version, (number, move) in enumerate(moves, start=1)
        ]

    def get_paginator(self, name: str) -> "FakeHistory":
        assert name == "get_parameter_history"
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        return [{"Parameters": self._entries[1::2]}, {"Parameters": self._entries[::2]}]


def approved(number: int) -> tuple[int, str]:
    return number, "approved"


def rolled_back(number: int) -> tuple[int, str]:
    return number, "rolled back"


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        pytest.param([approved(1)], [], id="the first"),
        pytest.param([approved(1), approved(2)], [1], id="the one before"),
        pytest.param([approved(1), approved(3), approved(2)], [3, 1], id="by use, not by number"),
        pytest.param([approved(1), approved(1)], [], id="approved twice"),
        pytest.param([approved(1), approved(2), rolled_back(1)], [], id="not what was rolled back"),
        pytest.param([approved(1), approved(2), approved(3), rolled_back(2)], [1], id="rolled back, then further"),
        pytest.param([approved(1), approved(2), rolled_back(1), approved(2)], [1], id="approved again"),
        pytest.param([approved(2), approved(1), approved(2), approved(3), rolled_back(2)], [1], id="used twice"),
        pytest.param([rolled_back(1), approved(2)], [1], id="older moves are forgotten"),
    ],
)
def test_what_was_in_use_before_is_told_by_the_parameters_history(
    moves: list[tuple[int, str]], expected: list[int]
) -> None:
    used = used_before(make_stack(), FakeHistory(*moves))
    assert used == [make_version(number).arn for number in expected]


USED = [make_version(number).arn for number in (2, 4, 1)]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param(("Approved", "Approved", "Approved", "Approved"), 2, id="the last in use"),
        pytest.param(("Approved", "Rejected", "Approved", "Approved"), 4, id="never one that was rejected"),
        pytest.param(("Approved", "PendingManualApproval", "Approved", "Approved"), 4, id="nor one that waits"),
        pytest.param(("Approved", "Rejected", "Approved"), 1, id="nor one that was deleted"),
    ],
)
def test_a_rollback_goes_to_the_last_that_may_be_used(statuses: tuple[str, ...], expected: int) -> None:
    assert version_before(make_versions(*statuses), USED, "local").number == expected


@pytest.mark.parametrize("used", [[], USED], ids=["the first", "all rejected or deleted"])
def test_where_there_is_none_to_go_back_to_a_line_says_so(used: list[str]) -> None:
    with pytest.raises(NothingToRollBackToError, match="no version that was in use before is approved"):
        version_before(make_versions("Rejected", "Rejected", "Approved"), used, "local")


def test_what_answers_is_not_rejected() -> None:
    # GIVEN
    first, second = make_version(1), make_version(2)

    # WHEN / THEN
    with pytest.raises(InUseError, match="make rollback"):
        check_unused(first, first.arn, second.arn, "local")
    with pytest.raises(InUseError, match="make deploy"):
        check_unused(first, second.arn, first.arn, "local")
    check_unused(first, second.arn, second.arn, "local")
