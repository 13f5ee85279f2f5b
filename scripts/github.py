"""Post the results of `make plan`, `make cost` and `make drift` on GitHub.

comment  comment on the pull request PULL_REQUEST; replaces the last comment of the same GitHub user
summary  add the plan and its cost to the page of the workflow run, where reviewers approve the deployment
issue    open an issue about drift, or add a comment to the issue that is still open
"""

import argparse

from deployment import github
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the action."""
    parser.add_argument("action", choices=("comment", "summary", "issue"))


def main(environment: Environment) -> None:
    """Post the results as the action says, and print the URL of the comment or issue."""
    match environment.options.action:
        case "comment":
            print(github.comment_on_pull_request(environment.name, environment.directory))
        case "summary":
            github.add_to_summary(environment.name, environment.directory)
        case "issue":
            print(github.open_drift_issue(environment.name, environment.directory))


if __name__ == "__main__":
    run_command(main, __doc__, options)
