"""Parse a state machine definition in Amazon States Language into states and transitions."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DISTRIBUTED_MAP = "Distributed Map"


@dataclass(frozen=True)
class Transition:
    """A possible change from one state to another.

    Attributes
    ----------
    is_catch : whether the transition belongs to a Catch field
    """

    source: str
    target: str
    is_catch: bool = False


@dataclass(frozen=True)
class State:
    """A state of the definition.

    Attributes
    ----------
    kind : for a Task, the API action that it calls; for other states, the type
    machines : the branches of a Parallel state, or the item processor of a Map state
    """

    name: str
    kind: str
    machines: tuple["StateMachine", ...] = ()


@dataclass(frozen=True)
class StateMachine:
    """The states and transitions of a state machine, a branch or an item processor; the first state is the start."""

    states: tuple[State, ...]
    transitions: tuple[Transition, ...]

    def all_states(self) -> Iterator[State]:
        """Yield all states, including the states in branches and item processors."""
        for state in self.states:
            yield state
            for machine in state.machines:
                yield from machine.all_states()

    def find_part(self, name: str) -> "StateMachine | None":
        """Return the state machine, branch or item processor that contains the state `name` directly, or None."""
        if any(state.name == name for state in self.states):
            return self
        parts = (machine.find_part(name) for state in self.states for machine in state.machines)
        return next(filter(None, parts), None)

    def names_except(self, visited: Collection[str]) -> Iterator[str]:
        """Yield the names of all states that are not in `visited`, including those in branches and item processors.

        If a distributed Map state was visited, the states inside it are left out, because child executions enter them.
        """
        for state in self.states:
            if state.name not in visited:
                yield state.name
            if state.kind != DISTRIBUTED_MAP or state.name not in visited:
                for machine in state.machines:
                    yield from machine.names_except(visited)


def parse_definition(definition: str) -> StateMachine:
    """Return the state machine of a JSON definition that Step Functions has validated."""
    return _parse(json.loads(definition))


def _parse(machine: Mapping[str, Any]) -> StateMachine:
    start, content = machine["StartAt"], machine["States"]
    names = [start, *(name for name in content if name != start)]
    return StateMachine(
        states=tuple(State(name, _kind(content[name]), tuple(_machines(content[name]))) for name in names),
        # a dictionary drops repetitions and keeps the order
        transitions=tuple(dict.fromkeys(each for name in names for each in _transitions(name, content[name]))),
    )


def _kind(state: Mapping[str, Any]) -> str:
    if state["Type"] == "Map" and _processor(state).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        return DISTRIBUTED_MAP
    if state["Type"] == "Task":
        return str(state["Resource"]).partition(":::")[2].partition(".")[0].removeprefix("aws-sdk:") or "Task"
    return str(state["Type"])


def _processor(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the item processor of a Map state; older definitions have it in the field Iterator."""
    processor: Mapping[str, Any] = state.get("ItemProcessor") or state.get("Iterator") or {}
    return processor


def _machines(state: Mapping[str, Any]) -> Iterator[StateMachine]:
    yield from map(_parse, state.get("Branches", ()))
    if processor := _processor(state):
        yield _parse(processor)


def _transitions(name: str, state: Mapping[str, Any]) -> Iterator[Transition]:
    targets = [state.get("Next"), *(rule["Next"] for rule in state.get("Choices", ())), state.get("Default")]
    yield from (Transition(name, target) for target in targets if target)
    yield from (Transition(name, catcher["Next"], is_catch=True) for catcher in state.get("Catch", ()))
