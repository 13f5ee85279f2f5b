"""Plans are applied and checked for drift, and a destroy needs a confirmation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from common.errors import OperatorError
from deployment.provisioning import apply, check_confirmation, check_drift, destroyed_arns
from deployment.terraform import Plan, TerraformError
from registry.endpoint import EndpointError, EndpointMissingError

ENDPOINT = "module.endpoint.aws_sagemaker_endpoint.this"
LIFETIME = "module.cost_control.aws_ssm_parameter.lifetime"


class FakeTerraform:
    """Terraform with one plan.

    Parameters
    ----------
    logs : directory of the log files
    created : addresses of the resources that the plan creates
    updated : addresses of the resources that the plan updates
    fails : whether the apply fails
    """

    environment = "dev"

    def __init__(self, logs: Path, *created: str, updated: Sequence[str] = (), fails: bool = False) -> None:
        self.logs = logs
        self.actions = {**dict.fromkeys(created, "create"), **dict.fromkeys(updated, "update")}
        self.fails = fails
        (logs / "terraform-plan.log").write_text("the plan")

    def apply(self, plan: Plan) -> None:
        if self.fails:
            raise TerraformError("terraform apply failed")

    def content(self) -> dict[str, Any]:
        """Return the content of the plan, as `Terraform.show` returns it."""
        changes = [{"address": address, "change": {"actions": [action]}} for address, action in self.actions.items()]
        return {"resource_changes": [*changes, {"address": "some", "change": {"actions": ["no-op"]}}]}


class FakeLifetime:
    """The lifetime of an endpoint, which has ended or not."""

    def __init__(self, ended: bool) -> None:
        self.ended = ended

    def has_ended(self) -> bool:
        return self.ended

    def describe(self) -> str:
        return "the lifetime has ended"


def make_plan(directory: Path, empty: bool = False) -> Plan:
    """Return a saved plan."""
    path = directory / "terraform.tfplan"
    path.touch()
    return Plan(path, changes=0 if empty else 1, empty=empty, summary="Plan: 1 to add, 0 to change, 0 to destroy")


def run_drift(
    directory: Path, *created: str, updated: Sequence[str] = (), ended: bool = False, empty: bool = False
) -> Path:
    """Check a plan for drift, and return the path of the drift report.

    Parameters
    ----------
    created, updated : addresses of the resources that the plan creates and updates
    ended : whether the endpoint's lifetime has ended
    empty : whether the plan has no changes
    """
    terraform: Any = FakeTerraform(directory, *created, updated=updated)
    lifetime: Any = FakeLifetime(ended)
    plan = make_plan(directory, empty)
    check_drift(terraform, plan, terraform.content(), directory / "drift.txt", lambda: lifetime)
    return directory / "drift.txt"


@pytest.mark.parametrize(
    ("endpoint_error", "raised", "message"),
    [
        pytest.param(EndpointError("rolled back"), EndpointError, "rolled back", id="the endpoint was rolled back"),
        pytest.param(EndpointMissingError("no endpoint"), TerraformError, "terraform apply failed", id="no endpoint"),
        pytest.param(None, TerraformError, "terraform apply failed", id="the endpoint is as planned"),
    ],
)
def test_failed_apply_raises_the_error_of_a_rolled_back_endpoint_or_else_terraforms_error(
    tmp_path: Path, endpoint_error: OperatorError | None, raised: type[OperatorError], message: str
) -> None:
    # GIVEN
    terraform: Any = FakeTerraform(tmp_path, fails=True)

    def check_endpoint() -> None:
        if endpoint_error:
            raise endpoint_error

    # WHEN / THEN
    with pytest.raises(raised, match=message):
        apply(terraform, make_plan(tmp_path), check_endpoint)


def test_endpoint_is_checked_after_a_successful_apply(tmp_path: Path) -> None:
    # GIVEN
    terraform: Any = FakeTerraform(tmp_path)

    def check_endpoint() -> None:
        raise EndpointMissingError("no endpoint")

    # WHEN / THEN
    with pytest.raises(EndpointMissingError):
        apply(terraform, make_plan(tmp_path), check_endpoint)


def test_empty_plan_is_not_drift(tmp_path: Path) -> None:
    assert not run_drift(tmp_path, empty=True).exists()
    assert not (tmp_path / "terraform.tfplan").exists()


def test_endpoint_whose_lifetime_has_ended_is_not_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not run_drift(tmp_path, ENDPOINT, updated=[LIFETIME], ended=True).exists()
    assert "the lifetime has ended" in capsys.readouterr().out


def test_endpoint_that_still_exists_after_the_end_of_its_lifetime_is_drift(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="the lifetime has ended"):
        run_drift(tmp_path, updated=[LIFETIME], ended=True)
    assert (tmp_path / "drift.txt").read_text() == "the plan"


@pytest.mark.parametrize(
    ("changed", "ended"),
    [
        pytest.param([ENDPOINT], False, id="the endpoint was deleted before the end of its lifetime"),
        pytest.param([ENDPOINT, "module.storage.aws_s3_bucket.this"], True, id="another resource differs"),
        pytest.param([], True, id="an output differs"),
    ],
)
def test_changes_other_than_the_end_of_the_endpoints_lifetime_are_drift(
    tmp_path: Path, changed: list[str], ended: bool
) -> None:
    with pytest.raises(OperatorError, match="the live stack differs from the configuration"):
        run_drift(tmp_path, *changed, ended=ended)
    assert (tmp_path / "drift.txt").read_text() == "the plan"
    assert not (tmp_path / "terraform.tfplan").exists()


def test_destruction_of_prod_requires_a_confirmation() -> None:
    check_confirmation("dev", "")
    check_confirmation("prod", "prod")
    with pytest.raises(OperatorError, match="CONFIRM=prod"):
        check_confirmation("prod", "")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_confirmation_must_be_the_name_of_the_environment(environment: str) -> None:
    with pytest.raises(OperatorError, match="nothing was destroyed: CONFIRM=prd"):
        check_confirmation(environment, "prd")


def test_destroyed_arns_are_the_arns_of_the_resources_that_a_plan_deletes() -> None:
    # GIVEN
    def change(before: dict[str, str] | None, *actions: str) -> dict[str, Any]:
        return {"change": {"actions": list(actions), "before": before}}

    changes = [
        change({"arn": "topic"}, "delete"),
        change({"id": "has no ARN"}, "delete"),
        change({"arn": "unchanged"}, "no-op"),
        change(None, "create"),
    ]

    # WHEN / THEN
    assert destroyed_arns({"resource_changes": changes}) == {"topic"}
