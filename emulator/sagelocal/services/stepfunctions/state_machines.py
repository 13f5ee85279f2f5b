"""The API operations on state machines: idempotent creation, validation and versions."""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import ResourceNotFound
from moto.stepfunctions.models import StateMachine, StepFunctionBackend
from moto.stepfunctions.parser.api import ConflictException, InvalidDefinition, StateMachineAlreadyExists
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from sagelocal.core.patching import add, replace
from sagelocal.services.stepfunctions.pagination import page
from sagelocal.services.stepfunctions.validation import diagnose

CREATE_PARAMETERS = (
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

UPDATE_PARAMETERS = (
    "arn",
    "definition",
    "role_arn",
    "logging_configuration",
    "tracing_configuration",
    "encryption_configuration",
    "publish",
    "version_description",
)


def install() -> None:
    """Patch CreateStateMachine and UpdateStateMachine, and add the operations that moto lacks."""
    # moto validates without the state machine's type, so the two patches below validate definitions instead
    replace(StepFunctionsParserBackend, "_validate_definition", lambda definition: None, parameters=("definition",))
    _validate_updates()
    _make_creation_idempotent()
    for function in (
        validate_state_machine_definition,
        publish_state_machine_version,
        list_state_machine_versions,
        delete_state_machine_version,
    ):
        add(StepFunctionResponse, function.__name__, function)


def validate(definition: str, kind: str | None = None) -> None:
    """Raise an exception if AWS would reject a definition.

    Raises
    ------
    moto.stepfunctions.parser.api.InvalidDefinition
        If the definition is invalid; the message contains all findings.
    """
    findings = [
        f"{finding['code']}: {finding['message']}" + (f" at {finding['location']}" if "location" in finding else "")
        for finding in diagnose(definition, kind)
    ]
    if findings:
        raise InvalidDefinition(f"Invalid State Machine Definition: '{', '.join(findings)}'")


def validate_state_machine_definition(self: Any) -> ActionResult:
    """ValidateStateMachineDefinition: return up to `maxResults` findings in a definition."""
    findings = diagnose(self._get_param("definition") or "", self._get_param("type"))
    limit = self._get_int_param("maxResults") or len(findings)
    result = "FAIL" if findings else "OK"
    return ActionResult({"result": result, "diagnostics": findings[:limit], "truncated": len(findings) > limit})


def publish_state_machine_version(self: Any) -> ActionResult:
    """PublishStateMachineVersion: publish a version, or return the latest one if nothing has changed since."""
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    latest = machine.latest_version
    if latest is None or (latest.definition, latest.roleArn) != (machine.definition, machine.roleArn):
        machine.publish(self._get_param("description"))
    latest = machine.latest_version
    return ActionResult({"creationDate": latest.creation_date, "stateMachineVersionArn": latest.arn})


def list_state_machine_versions(self: Any) -> ActionResult:
    """ListStateMachineVersions: return a page of versions, newest first."""
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    versions = [
        {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
        for _, version in sorted(machine.versions.items(), reverse=True)
    ]
    return ActionResult(page(self, "stateMachineVersions", versions))


def delete_state_machine_version(self: Any) -> ActionResult:
    """DeleteStateMachineVersion: delete a version, unless an alias references it."""
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


def _make_creation_idempotent() -> None:
    """Accept a repeated CreateStateMachine request, and reject a request with the same name but other settings."""

    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = dict(zip(CREATE_PARAMETERS, args, strict=False)) | kwargs
        validate(request["definition"], request.get("sm_type"))
        machine = original(self, **request)
        if _identity(machine) != _requested_identity(request):
            raise StateMachineAlreadyExists(f"State Machine Already Exists: '{machine.arn}'")
        return machine

    original = replace(StepFunctionBackend, "create_state_machine", create, parameters=CREATE_PARAMETERS)


def _validate_updates() -> None:
    """Reject an update with an invalid definition."""

    def update(self: Any, arn: str, definition: str | None = None, *args: Any, **kwargs: Any) -> Any:
        if definition is not None:
            validate(definition, self.describe_state_machine(arn).type)
        return original(self, arn, definition, *args, **kwargs)

    original = replace(StepFunctionBackend, "update_state_machine", update, parameters=UPDATE_PARAMETERS)


def _identity(machine: Any) -> tuple[Any, ...]:
    return (machine.definition, machine.type, machine.loggingConfiguration, machine.tracingConfiguration)


def _requested_identity(request: dict[str, Any]) -> tuple[Any, ...]:
    return (
        request["definition"],
        request.get("sm_type") or "STANDARD",
        request.get("loggingConfiguration") or {"level": "OFF"},
        request.get("tracingConfiguration") or {"enabled": False},
    )
