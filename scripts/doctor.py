"""Check credentials, tools, quotas, notifications and names before anything is created.

Each line has a status, a finding and a fix. The status `no answer` means that a check could not be made, for example
because your credentials do not allow a request. The command fails if a check has the status `FAILED`.
"""

import shutil
import sys
import textwrap
from functools import partial

from common import aws
from common.errors import OperatorError
from common.terminal import counted
from deployment.doctor import Account, check_all
from deployment.settings import read_settings
from deployment.terraform import Terraform
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def main(environment: Environment) -> None:
    """Run all checks, and print each finding as soon as it is known."""
    settings = read_settings(environment.name)
    account = Account(environment.name, settings, partial(aws.client, region=settings["region"]))
    failed = 0
    # a separate directory, so that the plan does not overwrite the one that `make plan` saved for `make apply`
    terraform = Terraform(environment.name, logs=environment.directory / "doctor")
    with environment.lock("doctor"):
        for finding in check_all(account, terraform):
            print(wrapped(str(finding)), flush=True)
            failed += finding.status == "FAILED"
    if failed:
        raise OperatorError(
            f"{counted(failed, 'check')} failed: see FAILED above, then run `make doctor ENV={environment.name}` again"
        )


def wrapped(line: str) -> str:
    """Return a line wrapped to the width of the terminal, or unchanged if the output is not a terminal."""
    if not sys.stdout.isatty():
        return line
    return textwrap.fill(
        line,
        shutil.get_terminal_size().columns,
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    run_command(main, __doc__)
