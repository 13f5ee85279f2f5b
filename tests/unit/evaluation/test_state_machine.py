"""State machine definitions are parsed and drawn."""

import io
import json
from typing import Any
from xml.etree import ElementTree

from PIL import Image

from evaluation.state_machine import Transition, parse_definition
from evaluation.state_machine_figure import draw_png, draw_svg

CHOICE: dict[str, Any] = {
    "Type": "Choice",
    "Choices": [{"Condition": "{% $a %}", "Next": "Each"}, {"Condition": "{% $b %}", "Next": "Each"}],
    "Default": "Failed",
}
DEFINITION = {
    "StartAt": "Decide $x$",
    "States": {
        "Failed": {"Type": "Fail"},
        "Decide $x$": CHOICE,
        "Each": {
            "Type": "Map",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                "StartAt": "Call",
                "States": {"Call": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:copyObject", "End": True}},
            },
            "Catch": [{"ErrorEquals": [name], "Next": "Failed"} for name in ("States.DataLimitExceeded", "States.ALL")],
            "Next": "Both & <more>",
        },
        "Both & <more>": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Legacy",
                    "States": {"Legacy": {"Type": "Task", "Resource": "arn:aws:lambda:r:1:function:f", "End": True}},
                },
                {
                    "StartAt": "Start",
                    "States": {
                        "Start": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True},
                    },
                },
            ],
            "End": True,
        },
    },
}


def test_a_parsed_definition_has_the_start_state_first_and_each_transition_once() -> None:
    # WHEN
    machine = parse_definition(json.dumps(DEFINITION))

    # THEN
    assert [(state.name, state.kind) for state in machine.all_states()] == [
        ("Decide $x$", "Choice"),
        ("Failed", "Fail"),
        ("Each", "Distributed Map"),
        ("Call", "s3:copyObject"),
        ("Both & <more>", "Parallel"),
        ("Legacy", "Task"),
        ("Start", "ecs:runTask"),
    ]
    assert machine.transitions == (
        Transition("Decide $x$", "Each"),
        Transition("Decide $x$", "Failed"),
        Transition("Each", "Both & <more>"),
        Transition("Each", "Failed", is_catch=True),
    )


def test_states_of_child_executions_are_not_listed_as_missing_once_their_map_state_has_run() -> None:
    machine = parse_definition(json.dumps(DEFINITION))
    assert "Call" in list(machine.names_except({"Decide $x$"}))
    assert list(machine.names_except({"Decide $x$", "Each"})) == ["Failed", "Both & <more>", "Legacy", "Start"]


def test_a_state_is_found_in_the_state_machine_or_in_an_item_processor() -> None:
    machine = parse_definition(json.dumps(DEFINITION))
    assert machine.find_part("Each") is machine
    part = machine.find_part("Call")
    assert part is not None
    assert [state.name for state in part.states] == ["Call"]
    assert machine.find_part("another") is None


def test_the_svg_and_png_drawings_contain_every_state() -> None:
    # GIVEN
    machine = parse_definition(json.dumps(DEFINITION))

    # WHEN
    svg, png = draw_svg(machine), draw_png(machine)

    # THEN names with a dollar sign are drawn as text, not as mathematical formulas
    texts = {text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314
    assert texts >= {state.name for state in machine.all_states()} | {"Distributed Map", "s3:copyObject"}
    assert Image.open(io.BytesIO(png)).size > (400, 400)
