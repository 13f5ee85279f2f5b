"""Post the results of `make plan`, `make cost` and `make drift` on GitHub.

Comments and issues are written with GitHub's command-line tool `gh`. The summary of a workflow run is a file, to which
this module appends.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from common.errors import OperatorError
from deployment.cost import COST_FILE
from deployment.provisioning import DRIFT_FILE

# Make targets, and the file with the result of each target
PLAN_FILES = {"plan": "terraform-plan.log", "cost": COST_FILE}
DRIFT_FILES = {"drift": DRIFT_FILE}
# Maximum number of characters that are reported, below GitHub's limits: comments and issues have at most 65,536
# characters, and summaries 1 MiB
COMMENT_LENGTH, SUMMARY_LENGTH = 60_000, 900_000


def comment_on_pull_request(environment: str, directory: Path) -> str:
    """Write the plan and its cost to a comment on the pull request PULL_REQUEST, and return the comment's URL.

    The last comment of the same GitHub user on the pull request is replaced, if there is one.
    """
    text = report(environment, directory, PLAN_FILES, COMMENT_LENGTH)
    number = read_variable("PULL_REQUEST", "the number of the pull request, such as 12")
    if not number.isdecimal():
        raise OperatorError(f"PULL_REQUEST must be the number of the pull request, such as 12 (got {number!r})")
    return run_gh("pr", "comment", number, "--edit-last", "--create-if-none", "--body-file", "-", text=text)


def add_to_summary(environment: str, directory: Path) -> None:
    """Add the plan and its cost to the page of the workflow run, where a reviewer approves the deployment."""
    text = report(environment, directory, PLAN_FILES, SUMMARY_LENGTH)
    with Path(read_variable("GITHUB_STEP_SUMMARY", "the path of the run's summary")).open("a") as summary:
        summary.write(text)


def open_drift_issue(environment: str, directory: Path) -> str:
    """Open an issue about drift, or add a comment to the issue that is still open, and return the URL."""
    text = report(environment, directory, DRIFT_FILES, COMMENT_LENGTH)
    title = f"{environment} differs from main"
    issues = json.loads(run_gh("issue", "list", "--state", "open", "--json", "number,title", "--limit", "1000"))
    number = next((issue["number"] for issue in issues if issue["title"] == title), None)
    command = ["issue", "comment", str(number)] if number else ["issue", "create", "--title", title]
    return run_gh(*command, "--body-file", "-", text=text)


def read_variable(name: str, content: str) -> str:
    """Return the value of an environment variable that the GitHub workflow sets.

    Parameters
    ----------
    content : description of the value, for the error message

    Raises
    ------
    OperatorError
        The variable is not set.
    """
    value = os.environ.get(name)
    if not value:
        raise OperatorError(f"the environment variable {name} is not set: it must contain {content}")
    return value


def run_gh(*command: str, text: str = "") -> str:
    """Run `gh` with `text` as standard input, and return its standard output.

    Raises
    ------
    OperatorError
        `gh` is not installed, or it fails.
    """
    gh = shutil.which("gh")
    if not gh:
        raise OperatorError("`gh` is not installed: install it from https://cli.github.com")
    result = subprocess.run([gh, *command], input=text, capture_output=True, text=True)
    if result.returncode:
        raise OperatorError(f"gh {' '.join(command[:2])} failed: {result.stderr.strip()}")
    return result.stdout.strip()


def report(environment: str, directory: Path, files: Mapping[str, str], length: int) -> str:
    """Return the content of files as Markdown, each in a collapsed section.

    Parameters
    ----------
    directory : directory of the files
    files : names of the files, by the make target that writes the file
    length : maximum number of characters of all files, which is divided equally among the files

    Raises
    ------
    OperatorError
        None of the files exists.
    """
    paths = {target: directory / name for target, name in files.items()}
    if not any(path.is_file() for path in paths.values()):
        target, path = next(iter(paths.items()))
        raise OperatorError(
            f"nothing to report, because {path} does not exist: run `make {target} ENV={environment}`, which writes "
            "this file if it has a result"
        )
    return "\n".join(section(environment, target, path, length // len(paths)) for target, path in paths.items())


def section(environment: str, target: str, path: Path, length: int) -> str:
    """Return a file's content as a collapsed Markdown section, or a sentence if there is no file."""
    if not path.is_file():
        return f"{environment}: `make {target}` failed or was not run; see the log of this workflow run.\n"
    text = re.sub(r"\x1b\[[0-9;]*m", "", path.read_text()).strip()
    if len(text) > length:
        text = f"{text[:length]}\n... truncated: run `make {target} ENV={environment}`, and read {path}"
    # four backticks begin the code block, because a plan may contain three backticks
    return f"<details><summary>{environment}: {target}</summary>\n\n````\n{text}\n````\n\n</details>\n"
