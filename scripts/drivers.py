"""List the drivers on record, show a driver's record, or delete a driver's data.

list    list the drivers with vehicle, confidence and zone
show    explain the record of a driver: image, probabilities, model and execution
delete  delete all photographs, review entries, answers and items of a driver, even if the driver's name is invalid
"""

import argparse
import shlex
from typing import Any

from common.errors import OperatorError
from evaluation.drivers import (
    DriverStore,
    check_name,
    check_segment,
    delete_driver,
    driver_lines,
    driver_table,
    explain_driver,
    list_drivers,
)
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the action, and the options `--id` and `--confirm`."""
    parser.add_argument("action", choices=("list", "show", "delete"))
    parser.add_argument("--id", default="", help="the driver's name, which follows incoming/ in a photograph's key")
    parser.add_argument("--confirm", default="", help="the driver's name again, required to delete the driver's data")


def main(environment: Environment) -> None:
    """List the drivers, show one driver, or delete the data about a driver.

    Raises
    ------
    OperatorError
        The driver's name is invalid or not on record, or the deletion is not confirmed.
    """
    action, dynamodb, store = environment.options.action, environment.client("dynamodb"), driver_store(environment)
    if action == "list":
        drivers = list_drivers(store, dynamodb=dynamodb)
        print("\n".join(driver_table(drivers)) if drivers else "no driver is on record")
    elif action == "show":
        driver = check_name(environment.options.id)
        facts = explain_driver(store, driver, environment=environment.name, dynamodb=dynamodb)
        print("\n".join(driver_lines(facts)))
    else:
        delete(environment, store, dynamodb=dynamodb)


def delete(environment: Environment, store: DriverStore, *, dynamodb: Any) -> None:
    """Delete the data about a driver, and print the numbers of deleted object versions and items.

    Raises
    ------
    OperatorError
        The driver's name is empty, `.` or `..`, or has a slash, or the deletion is not confirmed.
    """
    driver, confirmed = check_segment(environment.options.id), environment.options.confirm
    if confirmed != driver:
        quoted = shlex.quote(driver)
        raise OperatorError(
            f"all photographs and results of {driver} would be deleted: run `make delete-driver "
            f"ENV={environment.name} ID={quoted} CONFIRM={quoted}` (got CONFIRM={confirmed!r})"
        )
    versions, items = delete_driver(store, driver, s3=environment.client("s3"), dynamodb=dynamodb)
    print(f"{driver}: deleted object versions: {versions}, items: {items}")


def driver_store(environment: Environment) -> DriverStore:
    """Return the tables, the bucket and the key prefixes that contain the environment's data about drivers."""
    stack = environment.stack
    return DriverStore(
        vehicles_table=stack.vehicles_table,
        drivers_table=stack.drivers_table,
        bucket=stack.bucket,
        incoming_prefix=stack.incoming_prefix,
        review_prefix=stack.review_prefix,
        labels_prefix=stack.labels_prefix,
    )


if __name__ == "__main__":
    run_command(main, __doc__, options)
