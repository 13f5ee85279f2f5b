"""Check credentials, tools, quotas, notifications and names before anything is created.

Each line has a status, what was found and how to fix it. `no answer` means that you may not ask, or that the local
emulator does not emulate the request. The command fails if a check failed.
"""

from functools import partial

from common import aws
from common.errors import OperatorError
from deployment.doctor import Account, check_all
from deployment.settings import read_settings
from scripts.command import Environment, run_command


def main(environment: Environment) -> None:
    """Print the findings as they come."""
    settings = read_settings(environment.name)
    account = Account(environment.name, settings, partial(aws.client, region=settings["region"]))
    failed = 0
    for finding in check_all(account, environment.terraform):
        print(finding, flush=True)
        failed += finding.status == "FAILED"
    if failed:
        checks = "1 check" if failed == 1 else f"{failed} checks"
        raise OperatorError(f"{checks} failed: see FAILED above, then run `make doctor ENV={environment.name}` again")


if __name__ == "__main__":
    run_command(main, __doc__)
