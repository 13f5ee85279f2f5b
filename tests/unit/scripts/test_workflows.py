"""The GitHub Actions workflows run only make targets and pinned actions, with the fewest permissions."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deployment.provisioning import DRIFT_FILE

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOGIN = "aws-actions/configure-aws-credentials"
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))


def jobs(path: Path) -> dict[str, Any]:
    """Return the jobs of a workflow file by name."""
    found: dict[str, Any] = YAML(typ="safe").load(path)["jobs"]
    return found


def matrix_targets(job: dict[str, Any], step: dict[str, Any]) -> set[str]:
    """Return the make targets of a step that runs once for each target in the job's matrix."""
    assert step["env"] == {"TARGET": "${{ matrix.target }}"}
    return set(job["strategy"]["matrix"]["target"])


def test_unit_tests_run_on_the_lowest_and_highest_supported_python() -> None:
    # GIVEN
    lowest, highest = jobs(ROOT / ".github" / "workflows" / "ci.yml")["unit"]["strategy"]["matrix"]["python"]
    projects = [ROOT / "pyproject.toml", ROOT / "emulator" / "pyproject.toml"]

    # THEN
    assert [tomllib.loads(path.read_text())["project"]["requires-python"] for path in projects] == [f">={lowest}"] * 2
    assert f"({lowest.replace('.', ', ')})" in (ROOT / "Makefile").read_text()
    for readme in (ROOT / "README.md", ROOT / "emulator" / "README.md"):
        assert re.search(rf"Python {re.escape(lowest)}\b.* to {re.escape(highest)}", readme.read_text())


def test_all_workflow_files_are_tested() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "destroy", "drift"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_is_a_make_target_or_a_pinned_action(path: Path) -> None:
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if "run" in step:
                make, target = step["run"].split()
                assert make == "make"
                assert ({target} if target != '"$TARGET"' else matrix_targets(job, step)) <= TARGETS
            else:
                assert re.fullmatch(r"[a-z-]+/[a-z-]+@[0-9a-f]{40}", step["uses"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_only_jobs_that_assume_a_role_may_request_a_token(path: Path) -> None:
    for job in jobs(path).values():
        uses = " ".join(step.get("uses", "") for step in job["steps"])
        permissions = job.get("permissions", {})
        assert ("configure-aws-credentials" in uses) == (permissions.get("id-token") == "write")
        assert permissions.get("contents", "read") == "read"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_packages_are_installed_before_a_role_is_assumed(path: Path) -> None:
    for job in jobs(path).values():
        steps = [step.get("run", step.get("uses", "")).split("@")[0] for step in job["steps"]]
        if LOGIN in steps:
            assert steps.index("make setup") < steps.index(LOGIN)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_credentials_are_valid_as_long_as_the_job_may_run(path: Path) -> None:
    for job in jobs(path).values():
        for step in job["steps"]:
            if step.get("uses", "").startswith(LOGIN):
                assert step["with"].get("role-duration-seconds", 3600) >= 60 * job["timeout-minutes"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_deployments_run_only_on_main_and_plans_do_not_lock_the_state(path: Path) -> None:
    for job in jobs(path).values():
        roles = [step["with"]["role-to-assume"] for step in job["steps"] if step.get("uses", "").startswith(LOGIN)]
        if roles == ["${{ vars.DEPLOY_ROLE_ARN }}"]:
            assert job["if"].endswith(" && github.ref == 'refs/heads/main'")
            assert job["environment"]
        elif roles:
            assert job["env"]["TF_CLI_ARGS_plan"] == "-lock=false"


def test_plan_is_added_to_the_summary_even_if_its_cost_is_unknown() -> None:
    # GIVEN
    plan_steps = jobs(ROOT / ".github" / "workflows" / "deploy.yml")["plan"]["steps"]
    steps = {step["run"]: step for step in plan_steps if "run" in step}

    # THEN
    assert list(steps)[-4:] == ["make plan", "make cost", "make summary", "make comment"]
    assert steps["make cost"]["continue-on-error"]
    assert "if" not in steps["make summary"]


def test_issue_is_opened_only_if_there_is_a_drift_report() -> None:
    *_, last = jobs(ROOT / ".github" / "workflows" / "drift.yml")["drift"]["steps"]

    assert last["run"] == "make drift-issue"
    assert last["if"] == f"failure() && hashFiles('build/*/{DRIFT_FILE}') != ''"


def test_saved_plan_is_kept_for_the_30_days_that_github_waits_for_a_reviewer() -> None:
    # https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
    steps = jobs(ROOT / ".github" / "workflows" / "deploy.yml")["plan"]["steps"]
    (upload,) = [step for step in steps if step.get("uses", "").startswith("actions/upload-artifact")]
    assert upload["with"]["retention-days"] == 30
