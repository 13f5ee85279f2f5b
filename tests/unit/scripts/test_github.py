"""What GitHub is told, and that its workflows do nothing but what a person could do with make."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.command import Environment
from scripts.github import LENGTH, GitHubError, body, call, main

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(path)["jobs"]
    return found


def test_the_workflows_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "destroy", "drift"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_is_a_make_target_or_a_pinned_action(path: Path) -> None:
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 60
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


def test_a_plan_and_its_cost_are_told_without_colours(tmp_path: Path) -> None:
    # GIVEN
    (tmp_path / "terraform-plan.log").write_text("\x1b[1mPlan:\x1b[0m 1 to add\n")
    (tmp_path / "cost.txt").write_text("0.23 USD an hour\n")

    # WHEN
    text = body("dev", tmp_path)

    # THEN
    assert "<summary>dev: plan</summary>\n\n````\nPlan: 1 to add\n````" in text
    assert "0.23 USD an hour" in text


def test_a_long_plan_is_cut_to_what_github_takes(tmp_path: Path) -> None:
    (tmp_path / "terraform-plan.log").write_text("x" * 2 * LENGTH)

    assert len(body("dev", tmp_path)) < 65_536


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
    (drifted.directory / "terraform-plan.log").write_text("Plan: 0 to add, 1 to change, 0 to destroy\n")

    # WHEN
    main(drifted)

    # THEN
    assert gh.read_text().startswith(f"{command} --body-file -\n")
    assert "1 to change" in gh.read_text()


def test_what_github_refuses_is_said(gh: Path) -> None:
    (gh.parent / "gh").write_text("#!/bin/sh\necho 'HTTP 403: no access' >&2\nexit 1\n")

    with pytest.raises(GitHubError, match="gh issue create failed: HTTP 403"):
        call("gh", "issue", "create")


def test_nothing_is_told_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(GitHubError, match="make plan ENV=dev"):
        body("dev", tmp_path)
