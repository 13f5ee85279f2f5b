"""List the registered models, newest first, with status, accuracy, data, result of the quality gate, and approval."""

from common.errors import OperatorError
from registry.endpoint import deployed_model_package
from registry.model_table import model_table
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def main(environment: Environment) -> None:
    """Print the table.

    Raises
    ------
    OperatorError
        No model is registered.
    """
    registry = environment.model_registry
    versions = registry.versions()
    if not versions:
        raise OperatorError(f"no model is registered: run `make train ENV={environment.name}`")
    in_use = registry.arn_in_use()
    print("\n".join(model_table(versions, in_use)))
    endpoint = environment.stack.endpoint_name
    if in_use and deployed_model_package(endpoint, sagemaker=environment.client("sagemaker")) != in_use:
        print(f"the endpoint does not serve the model in use yet: run `make deploy ENV={environment.name}`")


if __name__ == "__main__":
    run_command(main, __doc__)
