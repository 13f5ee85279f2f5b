"""Estimate the costs of the planned environment, and write the estimate to `cost.txt`."""

from common.files import write
from deployment.cost import COST_FILE, estimate, read_prices
from deployment.settings import read_settings
from deployment.terraform import Terraform
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def main(environment: Environment) -> None:
    """Save a plan, estimate the costs of its resources, and print and write the estimate."""
    read_settings(environment.name)
    # a separate directory, so that this plan does not overwrite the one that `make plan` saved for `make apply`
    terraform = Terraform(environment.name, logs=environment.directory / "cost")
    with environment.lock("cost"):  # a plan deletes the import blocks that a concurrent command may be using
        plan = terraform.plan()
    content = terraform.show(plan)
    plan.path.unlink(missing_ok=True)
    text = "\n".join(estimate(environment.name, content, read_prices()))
    write(environment.directory / COST_FILE, f"{text}\n".encode())
    print(text)


if __name__ == "__main__":
    run_command(main, __doc__)
