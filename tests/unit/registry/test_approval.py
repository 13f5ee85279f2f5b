"""Manual approval and rejection of model versions, and rollback to an earlier version."""

from typing import Any

import pytest

from common.errors import OperatorError
from registry.approval import check_rejectable, newest_pending, previous_version, with_author
from registry.model_registry import ModelRegistry, find_version
from tests.unit.registry.versions import make_version, make_versions


@pytest.mark.parametrize("name", ["2", "v2", "arn:aws:sagemaker:us-east-1:123456789012:model-package/vehicles/2"])
def test_version_is_found_by_number_name_or_arn(name: str) -> None:
    assert find_version(make_versions("Approved", "Rejected"), name).number == 2


def test_error_for_an_unknown_version_lists_the_registered_versions() -> None:
    with pytest.raises(OperatorError, match="'3': the registry has v2, v1"):
        find_version(make_versions("Approved", "Rejected"), "3")


def test_newest_pending_version_is_selected_for_approval() -> None:
    versions = make_versions("PendingManualApproval", "PendingManualApproval", "Rejected")
    assert newest_pending(versions, "dev").number == 2


def test_error_without_a_pending_version_names_make_train() -> None:
    with pytest.raises(OperatorError, match="make train ENV=dev"):
        newest_pending(make_versions("Approved", "Rejected"), "dev")


class FakeHistory:
    """An SSM client with the history of one parameter, which returns the changes out of order.

    Parameters
    ----------
    uses : changes of the parameter, oldest first; each is the number of a model version and the change's description
    """

    def __init__(self, *uses: tuple[int, str]) -> None:
        self._entries = [
            {"Version": version, "Value": make_version(number).arn, "Description": description}
            for version, (number, description) in enumerate(uses, start=1)
        ]

    def get_paginator(self, name: str) -> "FakeHistory":
        assert name == "get_parameter_history"
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        assert request["Name"] == "/scones/local/approved-model/model-package-arn"
        return [{"Parameters": self._entries[1::2]}, {"Parameters": self._entries[::2]}]


def approved(number: int) -> tuple[int, str]:
    """Return the change of the parameter when a version is approved."""
    return number, "approved"


def rolled_back_to(number: int) -> tuple[int, str]:
    """Return the change of the parameter when the operator rolls back to a version."""
    return number, "rolled back"


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        pytest.param([approved(1)], [], id="first approval"),
        pytest.param([approved(1), approved(2)], [1], id="one version was in use before"),
        pytest.param([approved(1), approved(3), approved(2)], [3, 1], id="ordered by use, not by number"),
        pytest.param([approved(1), approved(1)], [], id="approved twice"),
        pytest.param(
            [approved(1), approved(2), rolled_back_to(1)], [], id="version that a rollback replaced is omitted"
        ),
        pytest.param(
            [approved(1), approved(2), approved(3), rolled_back_to(2)], [1], id="next rollback goes further back"
        ),
        pytest.param([approved(1), approved(2), rolled_back_to(1), approved(2)], [1], id="approved again"),
        pytest.param(
            [approved(2), approved(1), approved(2), approved(3), rolled_back_to(2)],
            [1],
            id="each version is listed once",
        ),
        pytest.param([rolled_back_to(1), approved(2)], [1], id="truncated history"),
    ],
)
def test_versions_that_were_in_use_before_are_read_from_the_parameter_history(
    uses: list[tuple[int, str]], expected: list[int]
) -> None:
    registry = ModelRegistry(
        "local", "vehicles", "/scones/local/approved-model", sagemaker=None, ssm=FakeHistory(*uses)
    )
    assert registry.previous_arns() == [make_version(number).arn for number in expected]


# v2 was in use last, v4 before it, and v1 first
PREVIOUS = [make_version(number).arn for number in (2, 4, 1)]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param(("Approved", "Approved", "Approved", "Approved"), 2, id="v2 is approved"),
        pytest.param(("Approved", "Rejected", "Approved", "Approved"), 4, id="v2 is rejected"),
        pytest.param(("Approved", "PendingManualApproval", "Approved", "Approved"), 4, id="v2 is pending"),
        pytest.param(("Approved", "Rejected", "Approved"), 1, id="v2 is rejected and v4 is deleted"),
    ],
)
def test_rollback_selects_the_latest_version_that_was_in_use_and_is_still_approved(
    statuses: tuple[str, ...], expected: int
) -> None:
    assert previous_version(make_versions(*statuses), PREVIOUS, "local").number == expected


@pytest.mark.parametrize("previous", [[], PREVIOUS], ids=["first version", "all rejected or deleted"])
def test_rollback_without_an_approved_version_that_was_in_use_is_an_error(previous: list[str]) -> None:
    with pytest.raises(OperatorError, match=r"no version that was in use before is approved: .* ENV=local"):
        previous_version(make_versions("Rejected", "Rejected", "Approved"), previous, "local")


def test_version_that_is_in_use_or_deployed_cannot_be_rejected() -> None:
    # GIVEN
    first, second = make_version(1), make_version(2)

    # WHEN / THEN
    with pytest.raises(OperatorError, match="make rollback ENV=local"):
        check_rejectable(first, first.arn, second.arn, "local")
    with pytest.raises(OperatorError, match="make deploy ENV=local"):
        check_rejectable(first, second.arn, first.arn, "local")
    check_rejectable(first, second.arn, second.arn, "local")


def test_reason_ends_with_the_author_and_has_at_most_1024_characters() -> None:
    class FakeSts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Arn": "arn:aws:iam::123456789012:user/ann"}

    assert with_author("worse at night", sts=FakeSts()) == "worse at night (by arn:aws:iam::123456789012:user/ann)"
    long = with_author("x" * 2000, sts=FakeSts())
    assert len(long) == 1024
    assert long.endswith("(by arn:aws:iam::123456789012:user/ann)")
