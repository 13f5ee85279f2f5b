"""What GitHub is told, and that its workflows do nothing but what a person could do with make."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.command import Environment
from scripts.github import LENGTH, PLANNED, GitHubError, body, call, main
from scripts.provision import DRIFT

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOGIN = "aws-actions/configure-aws-credentials"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(path)["jobs"]
    return found


def test_the_workflows_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "destroy", "drift"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_is_a_make_target_or_a_pinned_action(path: Path) -> None:
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if "run" in step:
                make, target = step["run"].split()
                assert make == "make"
                assert target in TARGETS
            else:
                assert re.fullmatch(r"[a-z-]+/[a-z-]+@[0-9a-f]{40}", step["uses"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_only_jobs_that_talk_to_aws_may_ask_for_an_identity(path: Path) -> None:
    for job in jobs(path).values():
        uses = " ".join(step.get("uses", "") for step in job["steps"])
        permissions = job.get("permissions", {})
        assert ("configure-aws-credentials" in uses) == (permissions.get("id-token") == "write")
        assert permissions.get("contents", "read") == "read"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_packages_are_installed_before_there_are_credentials(path: Path) -> None:
    for job in jobs(path).values():
        steps = [step.get("run", step.get("uses", "")).split("@")[0] for step in job["steps"]]
        if LOGIN in steps:
            assert steps.index("make setup") < steps.index(LOGIN)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_credentials_outlast_the_job(path: Path) -> None:
    for job in jobs(path).values():
        for step in job["steps"]:
            if step.get("uses", "").startswith(LOGIN):
                assert step["with"].get("role-duration-seconds", 3600) >= 60 * job["timeout-minutes"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_who_deploys_does_so_from_main_and_who_plans_takes_no_lock(path: Path) -> None:
    for job in jobs(path).values():
        lent = [step["with"]["role-to-assume"] for step in job["steps"] if step.get("uses", "").startswith(LOGIN)]
        if lent == ["${{ vars.DEPLOY_ROLE_ARN }}"]:
            assert job["if"].endswith(" && github.ref == 'refs/heads/main'")
            assert job["environment"]
        elif lent:
            assert job["env"]["TF_CLI_ARGS_plan"] == "-lock=false"


def test_whoever_approves_can_read_what_also_where_it_has_no_price() -> None:
    # GIVEN
    planning = jobs(ROOT / ".github" / "workflows" / "deploy.yml")["plan"]["steps"]
    steps = {step["run"]: step for step in planning if "run" in step}

    # THEN
    assert list(steps)[-4:] == ["make plan", "make cost", "make summary", "make comment"]
    assert steps["make cost"]["continue-on-error"]
    assert "if" not in steps["make summary"]


def test_only_drift_is_told_as_drift() -> None:
    *_, told = jobs(ROOT / ".github" / "workflows" / "drift.yml")["drift"]["steps"]

    assert told["run"] == "make drift-issue"
    assert told["if"] == f"failure() && hashFiles('build/*/{DRIFT}') != ''"


@pytest.fixture(name="dev")
def make_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment of which nothing is known yet."""
    monkeypatch.chdir(tmp_path)
    return Environment("dev", argparse.Namespace())


def test_a_plan_and_its_cost_are_told_without_colours(dev: Environment) -> None:
    # GIVEN
    (dev.directory / "terraform-plan.log").write_text("\x1b[1mPlan:\x1b[0m 1 to add\n")
    (dev.directory / "cost.txt").write_text("0.23 USD an hour\n")

    # WHEN
    text = body(dev, PLANNED, LENGTH)

    # THEN
    assert "<summary>dev: plan</summary>\n\n````\nPlan: 1 to add\n````" in text
    assert "0.23 USD an hour" in text


def test_a_plan_without_a_price_is_told_and_that_it_has_none(dev: Environment) -> None:
    (dev.directory / "terraform-plan.log").write_text("Plan: 1 to add\n")

    text = body(dev, PLANNED, LENGTH)

    assert "Plan: 1 to add" in text
    assert "dev: `make cost` failed" in text


def test_a_long_plan_is_cut_to_what_github_takes(dev: Environment) -> None:
    (dev.directory / "terraform-plan.log").write_text("x" * 2 * LENGTH)

    text = body(dev, PLANNED, LENGTH)

    assert len(text) < 65_536
    assert "`make plan ENV=dev` has the rest" in text


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `gh` that has one open issue and keeps what it is told; the file where it keeps it."""
    program, told = tmp_path / "gh", tmp_path / "told"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        "if sys.argv[1:3] == ['issue', 'list']:\n"
        "    print(json.dumps([{'number': 7, 'title': 'dev is not what main declares'}]))\n"
        "else:\n"
        f"    pathlib.Path({str(told)!r}).write_text(' '.join(sys.argv[1:]) + chr(10) + sys.stdin.read())\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    return told


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        pytest.param("dev", "issue comment 7", id="an open issue gets a comment"),
        pytest.param("prod", "issue create --title prod is not what main declares", id="else one is opened"),
    ],
)
def test_drift_is_told_in_one_issue_an_environment(gh: Path, environment: str, command: str) -> None:
    # GIVEN
    options = argparse.Namespace(action="issue")
    drifted = Environment(environment, options)
    (drifted.directory / DRIFT).write_text("Plan: 0 to add, 1 to change, 0 to destroy\n")

    # WHEN
    main(drifted)

    # THEN
    assert gh.read_text().startswith(f"{command} --body-file -\n")
    assert "1 to change" in gh.read_text()


def test_what_github_refuses_is_said(gh: Path) -> None:
    (gh.parent / "gh").write_text("#!/bin/sh\necho 'HTTP 403: no access' >&2\nexit 1\n")

    with pytest.raises(GitHubError, match="gh issue create failed: HTTP 403"):
        call("issue", "create")


def test_a_pull_request_has_one_comment_that_is_kept_up_to_date(gh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setenv("PULL_REQUEST", "12")
    dev = Environment("dev", argparse.Namespace(action="comment"))
    (dev.directory / "terraform-plan.log").write_text("Plan: 1 to add\n")

    # WHEN
    main(dev)

    # THEN
    assert gh.read_text().startswith("pr comment 12 --edit-last --create-if-none --body-file -\n")


def test_a_summary_is_added_to_the_page_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    dev = Environment("dev", argparse.Namespace(action="summary"))
    (dev.directory / "terraform-plan.log").write_text("Plan: 1 to add\n")

    # WHEN, THEN
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    with pytest.raises(GitHubError, match="GITHUB_STEP_SUMMARY"):
        main(dev)

    # WHEN, THEN
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    main(dev)
    assert page.read_text().startswith("before\n")
    assert "Plan: 1 to add" in page.read_text()


def test_nothing_is_told_of_nothing(dev: Environment) -> None:
    with pytest.raises(GitHubError, match="make plan ENV=dev"):
        body(dev, PLANNED, LENGTH)
