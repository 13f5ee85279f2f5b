"""Apply, an empty plan, destroy, an empty account: for every environment's settings."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sagelocal.core.environment import pointing_at

from deployment.read_stack import read_stack
from deployment.terraform import ENVIRONMENTS, Terraform, TerraformError
from deployment.tools import find_terraform
from tests.contract.conftest import RunningEmulator, start_emulator
from tests.contract.permissions import asked, refused

ROOT = Path(__file__).resolve().parents[2]

LISTINGS: dict[str, Callable[[Any], list[Any]]] = {
    "s3": lambda client: client.list_buckets()["Buckets"],
    "ec2": lambda client: client.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"],
    "lambda": lambda client: client.list_functions()["Functions"],
    "stepfunctions": lambda client: client.list_state_machines()["stateMachines"],
    "iam": lambda client: [role for role in client.list_roles()["Roles"] if role["RoleName"].startswith("scones-")],
    "logs": lambda client: client.describe_log_groups()["logGroups"],
    "dynamodb": lambda client: client.list_tables()["TableNames"],
    "sns": lambda client: client.list_topics()["Topics"],
    "cloudwatch": lambda client: [
        *client.describe_alarms()["MetricAlarms"],
        *client.list_dashboards()["DashboardEntries"],
    ],
    "budgets": lambda client: client.describe_budgets(AccountId="123456789012").get("Budgets", []),
    "scheduler": lambda client: client.list_schedules()["Schedules"],
    "sagemaker": lambda client: [
        *client.list_model_package_groups()["ModelPackageGroupSummaryList"],
        *client.list_models()["Models"],
        *client.list_endpoint_configs()["EndpointConfigs"],
        *client.list_endpoints()["Endpoints"],
    ],
}


@pytest.fixture(name="account")
def make_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningEmulator]:
    """An account with nothing in it, to which Terraform and boto3 point."""
    folder = tmp_path / "emulator"
    folder.mkdir()
    running = start_emulator(folder)
    for name, value in pointing_at(running.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    yield running
    running.stop()


@pytest.fixture(name="project")
def make_project(tmp_path: Path) -> Path:
    """A clone."""
    return copy_project(tmp_path)


def copy_project(folder: Path) -> Path:
    """The Terraform and the zips as a clone has them after `make lambdas`, with no state and no provider yet."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "terraform.tfstate.d")
    shutil.copytree(ROOT / "terraform", folder / "terraform", ignore=ignored)
    # all packages, because a command works on the Terraform directory beside the package `common` that it imports
    packages = ("common", "staging", "training", "registry", "evaluation", "deployment", "scripts")
    for name in ("Makefile", "lambdas", *packages):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)
    subprocess.run(["make", "lambdas"], cwd=folder, check=True, capture_output=True)
    return folder


def make_terraform(project: Path, environment: str) -> Terraform:
    return Terraform(environment, logs=project / "build", directory=project / "terraform")


def test_the_root_passes_its_own_test_in_an_account_and_leaves_it_empty(
    account: RunningEmulator, project: Path
) -> None:
    # GIVEN
    make_terraform(project, "local").init()
    command = [find_terraform(), "test", "-no-color", "-test-directory=tests/account"]

    # WHEN
    tested = subprocess.run(
        [*command, "-var-file=environments/local.tfvars"],
        cwd=project / "terraform",
        capture_output=True,
        text=True,
        timeout=600,
    )

    # THEN
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed, 0 failed" in tested.stdout
    assert left(account, "us-east-1") == {}


def left(account: RunningEmulator, region: str) -> dict[str, list[Any]]:
    found = {service: listing(account.client(service, region)) for service, listing in LISTINGS.items()}
    return {service: things for service, things in found.items() if things}


def trace(monkeypatch: pytest.MonkeyPatch, log: Path) -> Path:
    """Have the provider log from now on what it asks AWS for; the log."""
    monkeypatch.setenv("TF_LOG_PROVIDER", "DEBUG")
    monkeypatch.setenv("TF_LOG_PATH", str(log))
    return log


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_comes_stays_and_goes(
    account: RunningEmulator, environment: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN one of them in a VPC
    if environment == "dev":
        monkeypatch.setenv("TF_VAR_vpc_cidr", "10.0.0.0/24")
    terraform = make_terraform(project, environment)
    changing = trace(monkeypatch, tmp_path / "changing.log")

    # WHEN
    terraform.apply(terraform.plan())
    stack = read_stack(terraform)

    # THEN
    assert stack.environment == environment
    assert stack.endpoint_config_name is None
    assert left(account, stack.region)
    planning = trace(monkeypatch, tmp_path / "planning.log")
    again = terraform.plan()
    assert again.empty, again.summary

    # AND a pull request's role may plan
    assert refused(asked(planning), "plan") == set()

    # WHEN a function is edited
    with (project / "lambdas" / "filter" / "handler.py").open("a") as handler:
        handler.write("\n# an edit\n")
    subprocess.run(["make", "lambdas"], cwd=project, check=True, capture_output=True)

    # THEN its change alone is planned
    edited = terraform.plan()
    assert edited.summary == "Plan: 0 to add, 1 to change, 0 to destroy"
    old = replace(edited, path=edited.path.rename(tmp_path / "old.tfplan"))

    # WHEN another environment is planned on the same state, THEN it is refused
    other = next(name for name in ENVIRONMENTS if name != environment)
    with pytest.raises(TerraformError, match="workspace"):
        make_terraform(project, other).plan()

    # WHEN
    if environment == "prod":  # what protects production is taken off first, by hand and in the open
        unprotect(account, stack.region, stack.vehicles_table)
    trace(monkeypatch, changing)
    terraform.apply(terraform.plan(destroy=True))

    # THEN
    assert left(account, stack.region) == {}

    # AND the role that deploys may do all of that
    assert refused(asked(changing), "deploy") == set()

    # AND a plan that is older than the state is not applied
    with pytest.raises(TerraformError, match="Saved plan is stale"):
        terraform.apply(old)


def unprotect(account: RunningEmulator, region: str, table: str) -> None:
    account.client("dynamodb", region).update_table(TableName=table, DeletionProtectionEnabled=False)
