"""State machines: idempotent creation, validation, and their versions."""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import ResourceNotFound
from moto.stepfunctions.models import StateMachine, StepFunctionBackend
from moto.stepfunctions.parser.api import ConflictException, InvalidDefinition, StateMachineAlreadyExists
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from sagelocal.core.patching import add, replace
from sagelocal.services.stepfunctions.pages import page
from sagelocal.services.stepfunctions.validation import diagnose

CREATED_WITH = (
    "name",
    "definition",
    "roleArn",
    "tags",
    "publish",
    "loggingConfiguration",
    "tracingConfiguration",
    "encryptionConfiguration",
    "version_description",
    "sm_type",
)


def install() -> None:
    """Mend CreateStateMachine and add the operations that moto lacks."""
    replace(StepFunctionsParserBackend, "_validate_definition", validate, parameters=("definition",))
    _refuse_another_of_the_same_name()
    for function in (
        validate_state_machine_definition,
        publish_state_machine_version,
        list_state_machine_versions,
        delete_state_machine_version,
    ):
        add(StepFunctionResponse, function.__name__, function)


def validate(definition: str) -> None:
    """Refuse a definition that AWS would refuse.

    Raises
    ------
    moto.stepfunctions.parser.api.InvalidDefinition
        With every finding.
    """
    found = [
        f"{finding['code']}: {finding['message']}" + (f" at {finding['location']}" if "location" in finding else "")
        for finding in diagnose(definition)
    ]
    if found:
        raise InvalidDefinition(f"Invalid State Machine Definition: '{', '.join(found)}'")


def validate_state_machine_definition(self: Any) -> ActionResult:
    """Answer ValidateStateMachineDefinition by parsing the definition with the interpreter's own parser."""
    found = diagnose(self._get_param("definition") or "")
    most = self._get_int_param("maxResults") or len(found)
    result = "FAIL" if found else "OK"
    return ActionResult({"result": result, "diagnostics": found[:most], "truncated": len(found) > most})


def publish_state_machine_version(self: Any) -> ActionResult:
    """Answer PublishStateMachineVersion; unchanged since the latest version, that one is the answer."""
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    latest = machine.latest_version
    if latest is None or (latest.definition, latest.roleArn) != (machine.definition, machine.roleArn):
        machine.publish(self._get_param("description"))
    latest = machine.latest_version
    return ActionResult({"creationDate": latest.creation_date, "stateMachineVersionArn": latest.arn})


def list_state_machine_versions(self: Any) -> ActionResult:
    """Answer ListStateMachineVersions, newest first."""
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    versions = [
        {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
        for _, version in sorted(machine.versions.items(), reverse=True)
    ]
    return ActionResult(page(self, "stateMachineVersions", versions))


def delete_state_machine_version(self: Any) -> ActionResult:
    """Answer DeleteStateMachineVersion; a version that an alias points to is refused."""
    arn = self._get_param("stateMachineVersionArn")
    source, _, number = arn.rpartition(":")
    machine: StateMachine = self.stepfunction_backend.describe_state_machine(source)
    aliases = [
        alias.arn
        for alias in machine.aliases.values()
        if any(route["stateMachineVersionArn"] == arn for route in alias.routing_configuration)
    ]
    if aliases:
        raise ConflictException(
            f"Version to be deleted must not be referenced by an alias. Current list of aliases referencing "
            f"this version: [{', '.join(aliases)}]"
        )
    if not number.isdecimal():
        raise ResourceNotFound(arn)
    version = machine.versions.pop(int(number), None)
    if version is not None and version is machine.latest_version:
        machine.latest_version = machine.versions[max(machine.versions)] if machine.versions else None
    return EmptyResult()


def _refuse_another_of_the_same_name() -> None:
    """Let CreateStateMachine be repeated, and refuse it where the state machine of that name differs."""

    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        asked = dict(zip(CREATED_WITH, args, strict=False)) | kwargs
        machine = original(self, **asked)
        if _identity(machine) != _identity_asked(asked):
            raise StateMachineAlreadyExists(f"State Machine Already Exists: '{machine.arn}'")
        return machine

    original = replace(StepFunctionBackend, "create_state_machine", create, parameters=CREATED_WITH)


def _identity(machine: Any) -> tuple[Any, ...]:
    return (machine.definition, machine.type, machine.loggingConfiguration, machine.tracingConfiguration)


def _identity_asked(asked: dict[str, Any]) -> tuple[Any, ...]:
    return (
        asked["definition"],
        asked.get("sm_type") or "STANDARD",
        asked.get("loggingConfiguration") or {"level": "OFF"},
        asked.get("tracingConfiguration") or {"enabled": False},
    )
