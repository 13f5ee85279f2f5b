"""`make bootstrap` creates the state bucket and the roles for GitHub Actions, and a second run changes nothing."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deployment.terraform import Terraform, TerraformError
from deployment.tools import find_terraform
from tests.contract.conftest import REPOSITORY, Bootstrap
from tests.contract.permissions import WITHOUT_RESOURCE, WITHOUT_RESOURCE_FOR_DEPLOYERS, statements, too_broad
from tests.support.account import delete_all_objects
from tests.support.project import copy_project
from tests.support.terraform import run_command
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("production")  # test_policies.py needs the deployment roles

BUCKET = "scones-state-123456789012"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_POLICY_LENGTH, MANAGED_POLICY_LENGTH = 10_240, 6_144


@pytest.fixture(autouse=True)
def _select_account(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point AWS SDKs and Terraform to the account of the fixture `bootstrap`, if a test uses this fixture."""
    if "bootstrap" in request.fixturenames:
        request.getfixturevalue("bootstrap").select(monkeypatch)
    monkeypatch.setenv("TF_VAR_repository", REPOSITORY)


@pytest.fixture(scope="module")
def clone(bootstrap: Bootstrap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second project copy, in which no command has run."""
    return copy_project(tmp_path_factory.mktemp("clone"))


def terraform_of(project: Path) -> Terraform:
    """Return a runner of Terraform commands in terraform/bootstrap of a project copy."""
    return Terraform("local", logs=project / "build", directory=project / "terraform" / "bootstrap")


def test_state_is_in_the_bucket_and_another_clone_uses_it(bootstrap: Bootstrap, clone: Path) -> None:
    # GIVEN an account after `make bootstrap`, which moved the state from the root module's directory to the new bucket
    listed = bootstrap.account.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [each["Key"] for each in listed] == ["bootstrap.tfstate"]
    assert not (bootstrap.project / "terraform" / "bootstrap" / "terraform.tfstate").exists()

    # WHEN `make bootstrap` runs in another clone
    again = run_command(clone, "bootstrap", "--env", "local", "--repository", REPOSITORY)

    # THEN the second run changes nothing, and prints the same settings
    assert again.returncode == 0, again.stderr
    assert "No changes." not in bootstrap.output
    assert "No changes." in again.stdout
    for output in (bootstrap.output, again.stdout):
        assert 'terraform/environments/dev.tfvars: permissions_boundary = "arn:' in output
        assert 'policy/scones-boundary-dev"' in output
        assert "environment prod: DEPLOY_ROLE_ARN = arn:aws:iam::123456789012:role/scones-deploy-prod" in output
    assert terraform_of(clone).outputs()["state_bucket"] == BUCKET


def test_only_an_environments_workflows_on_main_may_assume_its_deployment_role(bootstrap: Bootstrap) -> None:
    role = bootstrap.account.client("iam").get_role(RoleName="scones-deploy-prod")["Role"]

    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:ref": "refs/heads/main",
        "token.actions.githubusercontent.com:sub": "repo:scones/vehicles:environment:prod",
    }


def test_policies_name_their_resources_and_do_not_exceed_iams_quotas(bootstrap: Bootstrap) -> None:
    iam = bootstrap.account.client("iam")
    for name in ("scones-deploy-dev", "scones-deploy-prod", "scones-plan"):
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        assert length(document) <= INLINE_POLICY_LENGTH, name
        assert too_broad(statements(document), WITHOUT_RESOURCE_FOR_DEPLOYERS) == set(), name

    boundaries = terraform_of(bootstrap.project).outputs()["permissions_boundaries"]
    assert boundaries
    for name, boundary in boundaries.items():
        document = iam.get_policy_version(PolicyArn=boundary, VersionId="v1")["PolicyVersion"]["Document"]
        assert length(document) <= MANAGED_POLICY_LENGTH, name
        assert too_broad(statements(document), WITHOUT_RESOURCE) == set(), name


def length(policy: dict[str, Any]) -> int:
    """Return a policy's length as IAM counts it: the number of characters without white space."""
    return len(json.dumps(policy, separators=(",", ":")))


def test_plan_fails_while_another_command_holds_the_state_lock(
    bootstrap: Bootstrap, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an apply that holds the state lock while it waits for a confirmation
    monkeypatch.setattr("deployment.terraform.LOCK_TIMEOUT", "1s")
    monkeypatch.setenv("TF_VAR_environments", '["dev"]')
    waiting = subprocess.Popen(
        [find_terraform(), "apply", "-no-color"],
        cwd=bootstrap.project / "terraform" / "bootstrap",
        env={**os.environ, "TF_DATA_DIR": ".terraform/local"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    s3, lock = bootstrap.account.client("s3"), {"Bucket": BUCKET, "Prefix": "bootstrap.tfstate.tflock"}
    eventually(lambda: s3.list_objects_v2(**lock)["KeyCount"] == 1, seconds=60)

    # WHEN / THEN
    other = terraform_of(clone)
    with pytest.raises(TerraformError, match="state lock"):
        other.plan()

    # WHEN the apply has ended, THEN the lock is free
    waiting.communicate(b"no\n", timeout=60)
    assert not other.plan().empty


def test_documented_clean_up_deletes_all_bootstrap_resources(bootstrap: Bootstrap, clone: Path) -> None:
    # GIVEN the steps in docs/operations.md that precede the destruction
    directory = clone / "terraform" / "bootstrap"
    pulled = subprocess.run(
        [find_terraform(), "state", "pull"],
        cwd=directory,
        env={**os.environ, "TF_DATA_DIR": ".terraform/local"},
        capture_output=True,
        check=True,
    )
    (directory / "terraform.tfstate").write_bytes(pulled.stdout)
    terraform_of(clone).backend_file.unlink()
    (directory / "backend.tf").unlink()
    delete_all_objects(bootstrap.account.client("s3"), BUCKET)

    # WHEN
    terraform = terraform_of(clone)
    terraform.apply(terraform.plan(destroy=True))

    # THEN
    iam = bootstrap.account.client("iam")
    assert bootstrap.account.client("s3").list_buckets()["Buckets"] == []
    assert [each for each in iam.list_roles()["Roles"] if each["RoleName"].startswith("scones-")] == []
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


@pytest.mark.usefixtures("account")
def test_error_for_a_missing_state_bucket_names_make_bootstrap(tmp_path: Path) -> None:
    # GIVEN an empty account
    project = copy_project(tmp_path / "project")

    # WHEN
    result = run_command(project, "state", "--env", "local")

    # THEN
    assert result.returncode == 1
    assert "make bootstrap REPOSITORY=owner/name" in result.stderr
    assert not list((project / "terraform").rglob("*.s3.tfbackend"))
