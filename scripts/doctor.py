"""Check credentials, tools, quotas, notifications and names before anything is created.

Each line has a status, what was found and how to fix it. `no answer` means that you may not ask, or that the local
emulator does not emulate the request. The command fails if a check failed.
"""

import shutil
import sys
import textwrap
from functools import partial

from common import aws
from common.errors import OperatorError
from deployment.doctor import Account, check_all
from deployment.settings import read_settings
from deployment.terraform import Terraform
from scripts.command import Environment, run_command


def main(environment: Environment) -> None:
    """Print the findings as they come."""
    settings = read_settings(environment.name)
    account = Account(environment.name, settings, partial(aws.client, region=settings["region"]))
    failed = 0
    # a separate directory, because `make apply` applies the plan that `make plan` saved in the environment's
    terraform = Terraform(environment.name, logs=environment.directory / "doctor")
    with environment.lock("doctor"):
        for finding in check_all(account, terraform):
            print(wrapped(str(finding)), flush=True)
            failed += finding.status == "FAILED"
    if failed:
        checks = "1 check" if failed == 1 else f"{failed} checks"
        raise OperatorError(f"{checks} failed: see FAILED above, then run `make doctor ENV={environment.name}` again")


def wrapped(line: str) -> str:
    """Return a line that is wrapped between words for a terminal, and unchanged for a pipe."""
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
