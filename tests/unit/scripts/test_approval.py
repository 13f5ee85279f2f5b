"""A person's word: what waits, what may be rejected, and what there is to go back to."""

import pytest

from scripts.approval import (
    InUseError,
    NothingPendingError,
    NothingToRollBackToError,
    check_unused,
    newest_pending,
    version_before,
)
from scripts.registry import VersionMissingError, find_version
from tests.unit.scripts.stacks import make_stack
from tests.unit.scripts.versions import make_version, make_versions


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


@pytest.mark.parametrize(
    ("statuses", "in_use", "expected"),
    [
        pytest.param(("Approved", "Approved"), 2, 1, id="the one before"),
        pytest.param(("Approved", "Rejected", "Approved"), 3, 1, id="never one that was rejected"),
        pytest.param(("Approved", "PendingManualApproval", "Approved"), 3, 1, id="nor one that waits"),
        pytest.param(("Approved", "Approved", "Approved"), 2, 1, id="nor one that was rolled back before"),
    ],
)
def test_a_rollback_goes_to_the_approved_version_before(statuses: tuple[str, ...], in_use: int, expected: int) -> None:
    versions = make_versions(*statuses)
    assert version_before(versions, make_version(in_use).arn, "local").number == expected


@pytest.mark.parametrize(
    ("statuses", "in_use", "line"),
    [
        (("Approved",), None, "no model is in use in local"),
        (("Approved",), 1, "no version before v1 is approved"),
        (("Rejected", "Approved"), 2, "no version before v2 is approved"),
    ],
    ids=["none in use", "the first", "all rejected"],
)
def test_where_there_is_none_to_go_back_to_a_line_says_so(
    statuses: tuple[str, ...], in_use: int | None, line: str
) -> None:
    with pytest.raises(NothingToRollBackToError, match=line):
        version_before(make_versions(*statuses), make_version(in_use).arn if in_use else None, "local")


def test_what_answers_is_not_rejected() -> None:
    # GIVEN
    first, second = make_version(1), make_version(2)

    # WHEN / THEN
    with pytest.raises(InUseError, match="make rollback"):
        check_unused(first, first.arn, second.arn, "local")
    with pytest.raises(InUseError, match="make deploy"):
        check_unused(first, second.arn, first.arn, "local")
    check_unused(first, second.arn, second.arn, "local")
