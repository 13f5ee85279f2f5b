"""Tell GitHub what `make plan`, `make cost` and `make drift` found, by its own command line, `gh`.

comment  on the pull request whose number is in PULL_REQUEST; a second one takes the place of the first
summary  on the page of the workflow's run, where those look who must approve what it is to apply
issue    that the live stack is not what the code declares; as long as it is open, it is told again in a comment
"""

import argparse
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.command import Environment, OperatorError, run_command
from scripts.provision import DRIFT

# What is told, which is also the target that finds it, and the file that has it then
PLANNED = {"plan": "terraform-plan.log", "cost": "cost.txt"}
DRIFTED = {"drift": DRIFT}
# Characters of a file that are told; GitHub takes 65,536 in a comment or an issue, and a MiB in a summary
LENGTH, SUMMARY_LENGTH = 60_000, 900_000


class GitHubError(OperatorError):
    """GitHub cannot be told."""


def options(parser: argparse.ArgumentParser) -> None:
    """How to tell it."""
    parser.add_argument("action", choices=("comment", "summary", "issue"))


def main(environment: Environment) -> None:
    """Tell GitHub.

    Raises
    ------
    GitHubError
        `gh` is missing or refuses, the workflow does not say where to tell it, or there is nothing to tell.
    """
    match environment.options.action:
        case "summary":
            text = body(environment, PLANNED, SUMMARY_LENGTH)
            with Path(variable("GITHUB_STEP_SUMMARY", "the file of the run's summary")).open("a") as summary:
                summary.write(text)
        case "comment":
            text = body(environment, PLANNED, LENGTH)
            number = variable("PULL_REQUEST", "the number of the pull request")
            print(call("pr", "comment", number, "--edit-last", "--create-if-none", "--body-file", "-", text=text))
        case "issue":
            text = body(environment, DRIFTED, LENGTH)
            print(call(*issue(f"{environment.name} is not what main declares"), "--body-file", "-", text=text))


def variable(name: str, what: str) -> str:
    """An environment variable that the workflow sets.

    Raises
    ------
    GitHubError
        It is not set.
    """
    value = os.environ.get(name)
    if not value:
        raise GitHubError(f"{name} must have {what}")
    return value


def issue(title: str) -> list[str]:
    """The command that tells of drift: a comment where the issue of that title is still open, else the issue."""
    still_open = json.loads(call("issue", "list", "--state", "open", "--json", "number,title", "--limit", "1000"))
    number = next((each["number"] for each in still_open if each["title"] == title), None)
    return ["issue", "comment", str(number)] if number else ["issue", "create", "--title", title]


def call(*command: str, text: str = "") -> str:
    """What `gh` answers.

    Raises
    ------
    GitHubError
        It is missing, or refuses.
    """
    gh = shutil.which("gh")
    if not gh:
        raise GitHubError("`gh` is not installed: this is for GitHub's own machines, which have it")
    answer = subprocess.run([gh, *command], input=text, capture_output=True, text=True)
    if answer.returncode:
        raise GitHubError(f"gh {' '.join(command[:2])} failed: {answer.stderr.strip()}")
    return answer.stdout.strip()


def body(environment: Environment, found: Mapping[str, str], length: int) -> str:
    """What was found, folded, as GitHub's markdown; of what is missing, that it is.

    Parameters
    ----------
    environment : whose folder has the files
    found : the target that finds it, and its file
    length : characters of a file that are told

    Raises
    ------
    GitHubError
        All of it is missing.
    """
    name, parts = environment.name, []
    paths = {target: environment.directory / file for target, file in found.items()}
    if not any(path.is_file() for path in paths.values()):
        raise GitHubError(f"there is nothing to tell of {name}: run `make {next(iter(found))} ENV={name}` first")
    for target, path in paths.items():
        if not path.is_file():
            parts.append(f"{name}: `make {target}` failed, and the job's log has its reason\n")
            continue
        text = re.sub(r"\x1b\[[0-9;]*m", "", path.read_text()).strip()
        cut = text if len(text) <= length else f"{text[:length]}\n... cut: `make {target} ENV={name}` has the rest"
        # four backticks, since a plan may quote three
        parts.append(f"<details><summary>{name}: {target}</summary>\n\n````\n{cut}\n````\n\n</details>\n")
    return "\n".join(parts)


if __name__ == "__main__":
    run_command(main, __doc__, options)
