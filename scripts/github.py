"""Report on GitHub what `make plan`, `make cost` and `make drift` found.

comment  comment on the pull request whose number is in PULL_REQUEST; a later comment replaces the first
summary  add to the page of the workflow run, where reviewers approve the deployment
issue    open an issue about drift; while it is open, add comments to it
"""

import argparse

from deployment import github
from scripts.command import Environment, run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the kind of report."""
    parser.add_argument("action", choices=("comment", "summary", "issue"))


def main(environment: Environment) -> None:
    """Write the report."""
    match environment.options.action:
        case "comment":
            print(github.comment_on_pull_request(environment.name, environment.directory))
        case "summary":
            github.add_to_summary(environment.name, environment.directory)
        case "issue":
            print(github.open_drift_issue(environment.name, environment.directory))


if __name__ == "__main__":
    run_command(main, __doc__, options)
