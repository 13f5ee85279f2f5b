"""Write the deployed state machine to `build/<env>/` as formatted ASL JSON, SVG and PNG."""

import json

from common.files import write, write_json
from evaluation.state_machine import parse_definition
from evaluation.state_machine_figure import draw_png, draw_svg
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def main(environment: Environment) -> None:
    """Write the definition and the drawings of the state machine, and print the files' paths."""
    states = environment.client("stepfunctions")
    described = states.describe_state_machine(stateMachineArn=environment.stack.state_machine_arn)
    machine = parse_definition(described["definition"])
    path = environment.directory / f"{described['name']}.asl.json"
    write_json(path, json.loads(described["definition"]))
    drawings = {".svg": draw_svg(machine).encode(), ".png": draw_png(machine)}
    for suffix, content in drawings.items():
        write(environment.directory / f"{described['name']}{suffix}", content)
    for name in (path.name, *(f"{described['name']}{suffix}" for suffix in drawings)):
        print((environment.directory / name).resolve())


if __name__ == "__main__":
    run_command(main, __doc__)
