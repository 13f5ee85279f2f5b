"""Results of `make plan`, `make cost` and `make drift` are posted to GitHub."""

import sys
from pathlib import Path

import pytest

from common.errors import OperatorError
from deployment.github import (
    COMMENT_LENGTH,
    PLAN_FILES,
    add_to_summary,
    comment_on_pull_request,
    open_drift_issue,
    report,
    run_gh,
)


def test_report_contains_the_plan_and_its_cost_without_colour_codes(tmp_path: Path) -> None:
    # GIVEN
    (tmp_path / "terraform-plan.log").write_text("\x1b[1mPlan:\x1b[0m 1 to add\n")
    (tmp_path / "cost.txt").write_text("0.23 USD an hour\n")

    # WHEN
    text = report("dev", tmp_path, PLAN_FILES, COMMENT_LENGTH)

    # THEN
    assert "<summary>dev: plan</summary>\n\n````\nPlan: 1 to add\n````" in text
    assert "0.23 USD an hour" in text


def test_report_says_that_the_cost_is_missing(tmp_path: Path) -> None:
    (tmp_path / "terraform-plan.log").write_text("Plan: 1 to add\n")

    text = report("dev", tmp_path, PLAN_FILES, COMMENT_LENGTH)

    assert "Plan: 1 to add" in text
    assert "dev: `make cost` failed or was not run" in text


def test_long_files_are_truncated_to_githubs_limit(tmp_path: Path) -> None:
    # GIVEN
    for name in PLAN_FILES.values():
        (tmp_path / name).write_text("x" * 2 * COMMENT_LENGTH)

    # WHEN
    text = report("dev", tmp_path, PLAN_FILES, COMMENT_LENGTH)

    # THEN
    assert len(text) < 65_536
    assert f"truncated: run `make plan ENV=dev`, and read {tmp_path}/terraform-plan.log" in text


def test_error_for_a_missing_plan_names_make_plan(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="make plan ENV=dev"):
        report("dev", tmp_path, PLAN_FILES, COMMENT_LENGTH)


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a fake `gh` on the PATH, and return the file in which it records its arguments and input.

    The fake program lists one open issue, about the environment `dev`.
    """
    program, calls = tmp_path / "gh", tmp_path / "calls"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        "if sys.argv[1:3] == ['issue', 'list']:\n"
        "    print(json.dumps([{'number': 7, 'title': 'dev differs from main'}]))\n"
        "else:\n"
        f"    pathlib.Path({str(calls)!r}).write_text(' '.join(sys.argv[1:]) + chr(10) + sys.stdin.read())\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return calls


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        pytest.param("dev", "issue comment 7", id="an open issue gets a comment"),
        pytest.param(
            "prod", "issue create --title prod differs from main", id="without an open issue, an issue is opened"
        ),
    ],
)
def test_each_environment_has_at_most_one_open_drift_issue(
    gh: Path, tmp_path: Path, environment: str, command: str
) -> None:
    # GIVEN
    (tmp_path / "drift.txt").write_text("Plan: 0 to add, 1 to change, 0 to destroy\n")

    # WHEN
    open_drift_issue(environment, tmp_path)

    # THEN
    assert gh.read_text().startswith(f"{command} --body-file -\n")
    assert "1 to change" in gh.read_text()


def test_error_contains_the_message_of_gh(gh: Path) -> None:
    (gh.parent / "gh").write_text("#!/bin/sh\necho 'HTTP 403: no access' >&2\nexit 1\n")

    with pytest.raises(OperatorError, match="gh issue create failed: HTTP 403"):
        run_gh("issue", "create")


def test_comment_on_a_pull_request_replaces_the_previous_comment(
    gh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("PULL_REQUEST", "12")
    (tmp_path / "terraform-plan.log").write_text("Plan: 1 to add\n")

    # WHEN
    comment_on_pull_request("dev", tmp_path)

    # THEN
    assert gh.read_text().startswith("pr comment 12 --edit-last --create-if-none --body-file -\n")


@pytest.mark.parametrize("number", ["main", "-1", "it's", "1.5"])
def test_error_names_an_invalid_pull_request_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    # GIVEN
    monkeypatch.setenv("PULL_REQUEST", number)
    (tmp_path / "terraform-plan.log").write_text("Plan: 1 to add\n")

    # WHEN / THEN
    with pytest.raises(OperatorError, match=f"must be the number of the pull request, such as 12 .*{number}"):
        comment_on_pull_request("dev", tmp_path)


def test_summary_is_appended_to_the_page_of_the_workflow_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    (tmp_path / "terraform-plan.log").write_text("Plan: 1 to add\n")

    # WHEN / THEN
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    with pytest.raises(OperatorError, match="GITHUB_STEP_SUMMARY is not set"):
        add_to_summary("dev", tmp_path)

    # WHEN / THEN
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    add_to_summary("dev", tmp_path)
    assert page.read_text().startswith("before\n")
    assert "Plan: 1 to add" in page.read_text()
