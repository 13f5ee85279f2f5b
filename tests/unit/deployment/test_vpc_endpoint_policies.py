"""The policies of the VPC endpoints allow the actions of the roles that work in the VPC."""

import re

from common.paths import TERRAFORM_DIRECTORY

MODULES = TERRAFORM_DIRECTORY / "modules"
# Actions of the services that have a VPC endpoint. AWS performs the roles' other actions outside the VPC.
ACTION = re.compile(r'"((?:s3|sagemaker|cloudwatch|sns):[A-Z]\w*\*?)"')
# The role that data_drift itself declares is the role of EventBridge Scheduler, which is not in the VPC. The drift job
# has a role of the module sagemaker_role.
OUTSIDE_MODULES = {"data_drift"}
OUTSIDE_ACTIONS = {"cloudwatch:DescribeAlarms"}  # SageMaker reads the alarms outside the VPC while it deploys a model


def actions(module: str) -> set[str]:
    """Return the actions in a module's policies that belong to the services with a VPC endpoint."""
    return set(ACTION.findall((MODULES / module / "main.tf").read_text()))


def test_vpc_endpoints_allow_exactly_the_actions_of_the_roles_that_work_in_the_vpc() -> None:
    # GIVEN the modules that connect functions, jobs or models to the VPC
    modules = {
        path.parent.name
        for path in MODULES.glob("*/variables.tf")
        if re.search(r'^variable "network(_policy)?"', path.read_text(), re.M)
    } - OUTSIDE_MODULES
    assert {"functions", "sagemaker_role"} <= modules

    # WHEN
    needed = set().union(*map(actions, modules)) - OUTSIDE_ACTIONS

    # THEN
    assert actions("network") == needed
