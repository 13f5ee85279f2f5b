"""Tell GitHub what `make plan`, `make cost` and `make drift` found, by its own command line, `gh`.

comment  on the pull request whose number is in PULL_REQUEST
issue    that the live stack is not what the code declares; as long as it is open, it is told again in a comment
"""

import argparse
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from scripts.command import Environment, OperatorError, run_command

LENGTH = 60_000  # characters of a plan that are told; GitHub takes 65,536 in all
FOUND = (("plan", "terraform-plan.log"), ("cost", "cost.txt"))


class GitHubError(OperatorError):
    """GitHub cannot be told."""


def options(parser: argparse.ArgumentParser) -> None:
    """How to tell it."""
    parser.add_argument("action", choices=("comment", "issue"))


def main(environment: Environment) -> None:
    """Tell GitHub.

    Raises
    ------
    GitHubError
        `gh` is missing or refuses, or there is nothing to tell.
    """
    gh = shutil.which("gh")
    if not gh:
        raise GitHubError("`gh` is not installed: this is for GitHub's own machines, which have it")
    text = body(environment.name, environment.directory)
    if environment.options.action == "issue":
        command = issue(gh, f"{environment.name} is not what main declares")
    elif number := os.environ.get("PULL_REQUEST", ""):
        command = ["pr", "comment", number]
    else:
        raise GitHubError("PULL_REQUEST must have the number of the pull request")
    print(call(gh, *command, "--body-file", "-", text=text))


def issue(gh: str, title: str) -> list[str]:
    """The command that tells of drift: a comment where the issue of that title is still open, else the issue."""
    still_open = json.loads(call(gh, "issue", "list", "--state", "open", "--json", "number,title", "--limit", "1000"))
    number = next((each["number"] for each in still_open if each["title"] == title), None)
    return ["issue", "comment", str(number)] if number else ["issue", "create", "--title", title]


def call(gh: str, *command: str, text: str = "") -> str:
    """What `gh` answers.

    Raises
    ------
    GitHubError
        It refuses.
    """
    answer = subprocess.run([gh, *command], input=text, capture_output=True, text=True)
    if answer.returncode:
        raise GitHubError(f"gh {' '.join(command[:2])} failed: {answer.stderr.strip()}")
    return answer.stdout.strip()


def body(name: str, directory: Path) -> str:
    """What was found, folded, as GitHub's markdown.

    Raises
    ------
    GitHubError
        Nothing was found.
    """
    parts = []
    for title, file in FOUND:
        path = directory / file
        if path.is_file():
            text = re.sub(r"\x1b\[[0-9;]*m", "", path.read_text()).strip()
            cut = text if len(text) <= LENGTH else f"{text[:LENGTH]}\n... cut: the job's log has the rest"
            # four backticks, since a plan may quote three
            parts.append(f"<details><summary>{name}: {title}</summary>\n\n````\n{cut}\n````\n\n</details>\n")
    if not parts:
        raise GitHubError(f"there is nothing to tell of {name}: run `make plan ENV={name}` first")
    return "\n".join(parts)


if __name__ == "__main__":
    run_command(main, __doc__, options)
