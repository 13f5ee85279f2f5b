"""A plan fails if a resource with a planned name already exists and does not belong to the environment."""

import pytest

from tests.support.terraform import Deployment


@pytest.mark.xdist_group("local")
def test_plan_fails_if_an_untagged_resource_has_a_planned_name(
    local: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an untagged log group, and settings with which Terraform plans a log group of the same name
    logs = local.account.client("logs")
    name = "/aws/vpc/scones-local-rejected"
    logs.create_log_group(logGroupName=name)
    monkeypatch.setenv("TF_VAR_vpc_cidr", "10.0.0.0/24")

    # WHEN
    result = local.run("provision", "plan")

    # THEN the plan names the log group, and does not change it
    assert result.returncode == 1
    assert f"lack the tags of local: module.network[0].aws_cloudwatch_log_group.this ({name})" in result.stderr
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert "retentionInDays" not in group
    logs.delete_log_group(logGroupName=name)
