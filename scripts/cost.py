"""Estimate what the planned environment costs, and write the estimate to `cost.txt`."""

from common.files import write
from deployment.cost import COST_FILE, estimate, read_prices
from deployment.settings import read_settings
from deployment.terraform import Terraform
from scripts.command import Environment, run_command


def main(environment: Environment) -> None:
    """Plan, and print what the plan costs."""
    read_settings(environment.name)
    # a separate directory, because `make apply` applies the plan that `make plan` saved in the environment's
    terraform = Terraform(environment.name, logs=environment.directory / "cost")
    with environment.lock("cost"):  # a plan deletes the import blocks of another one, which may be running
        plan = terraform.plan()
    content = terraform.show(plan)
    plan.path.unlink(missing_ok=True)
    text = "\n".join(estimate(environment.name, content, read_prices()))
    write(environment.directory / COST_FILE, f"{text}\n".encode())
    print(text)


if __name__ == "__main__":
    run_command(main, __doc__)
