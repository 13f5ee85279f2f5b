"""Existing resources that have planned names."""

import pytest

from tests.support.terraform import Deployment


@pytest.mark.xdist_group("local")
def test_untagged_resource_with_a_planned_name_is_an_error_and_is_not_changed(
    local: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an untagged log group, and settings that add a log group with the same name
    logs = local.account.client("logs")
    name = "/aws/vpc/scones-local-rejected"
    logs.create_log_group(logGroupName=name)
    monkeypatch.setenv("TF_VAR_vpc_cidr", "10.0.0.0/24")

    # WHEN
    result = local.run("provision", "plan")

    # THEN
    assert result.returncode == 1
    assert f"lack the tags of local: module.network[0].aws_cloudwatch_log_group.this ({name})" in result.stderr
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert "retentionInDays" not in group
    logs.delete_log_group(logGroupName=name)
