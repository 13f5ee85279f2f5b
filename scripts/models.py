"""List the registered models, the newest first: which is in use, how good each is, and what it comes from."""

import textwrap
from collections.abc import Iterator

import boto3

from registry.model_registry import Version, model_in_use, read_versions, served_model
from scripts.command import Environment, OperatorError, run_command

WIDTH = 80
STATUS = {"PendingManualApproval": "pending"}
COLUMNS = "{:<6}{:<19}{:<27}{:<18}{}"


class NoModelsError(OperatorError):
    """Nothing is registered yet."""


def main(environment: Environment) -> None:
    """Print the table.

    Raises
    ------
    NoModelsError
        Nothing is registered yet.
    """
    stack = environment.stack
    sagemaker = boto3.client("sagemaker", region_name=stack.region)
    versions = read_versions(stack, sagemaker)
    if not versions:
        raise NoModelsError(f"no model is registered: `make train ENV={stack.environment}` makes one")
    in_use = model_in_use(stack, boto3.client("ssm", region_name=stack.region))
    served = served_model(stack, sagemaker)
    print("\n".join(table(versions, in_use)))
    if in_use and served != in_use:
        print(f"the endpoint does not serve the model in use yet: `make deploy ENV={stack.environment}`")


def table(versions: list[Version], in_use: str | None) -> Iterator[str]:
    """A line of facts for each version, and below it its data and why it is what it is."""
    yield COLUMNS.format("model", "status", "validation accuracy", "registered (UTC)", "code")
    for version in versions:
        low, high = version.score.interval
        status = STATUS.get(version.status, version.status.lower())
        yield COLUMNS.format(
            version.name,
            f"{status}, in use" if version.arn == in_use else status,
            f"{version.score.accuracy:.3f} ({low:.3f} to {high:.3f})",
            f"{version.registered:%Y-%m-%d %H:%M}",
            short(version.properties.get("code", "")),
        )
        for title, text in (
            ("data", version.properties.get("source", "unknown")),
            ("judge", version.judged),
            (status, version.approved_by),
        ):
            yield textwrap.fill(text, WIDTH, initial_indent=f"{'':6}{title:<10}", subsequent_indent=" " * 16)


def short(code: str) -> str:
    """A commit in seven digits, marked where files differed from it."""
    return code[:7] + ("+" if code.endswith("-dirty") else "")


if __name__ == "__main__":
    run_command(main, __doc__)
