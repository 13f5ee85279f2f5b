"""What Terraform sets on functions and their event sources, and moto forgets."""

from typing import Any

from moto.awslambda import models
from moto.logs.models import LogsBackend

from sagelocal.core.patching import add, replace


def install() -> None:
    """Keep dead letter targets and the form of logs, and the alias that an event source mapping names."""
    _keep_settings()
    _keep_mapped_alias()
    # moto copies a function with all that it refers to when it publishes a version, all logs among it: they would be
    # the version's own from then on, and the copy fails when somebody logs meanwhile
    add(LogsBackend, "__deepcopy__", lambda backend, memo: backend)


def _keep_settings() -> None:
    def create(function: Any, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        create_original(function, account_id, spec, region, version)
        _set(function, spec)

    def get_configuration(function: Any, on_create: bool = False) -> dict[str, Any]:
        answer: dict[str, Any] = get_original(function, on_create)
        answer["LoggingConfig"] = function.logging
        if function.dead_letters and function.dead_letters.get("TargetArn"):
            answer["DeadLetterConfig"] = function.dead_letters
        return answer

    def update_configuration(function: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        _set(function, {"DeadLetterConfig": function.dead_letters, "LoggingConfig": function.logging, **config_updates})
        answer: dict[str, Any] = update_original(function, config_updates)
        return answer

    create_original = replace(
        models.LambdaFunction, "__init__", create, parameters=("account_id", "spec", "region", "version")
    )
    get_original = replace(models.LambdaFunction, "get_configuration", get_configuration, parameters=("on_create",))
    update_original = replace(
        models.LambdaFunction, "update_configuration", update_configuration, parameters=("config_updates",)
    )


def _set(function: Any, spec: dict[str, Any]) -> None:
    """Take over what the request sets; levels are there in JSON alone."""
    function.dead_letters = spec.get("DeadLetterConfig")
    given = spec.get("LoggingConfig") or {}
    form = given.get("LogFormat", "Text")
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if form == "JSON" else {}
    function.logs_group_name = given.get("LogGroup", function.logs_group_name)
    function.logging = {**levels, **given, "LogFormat": form, "LogGroup": function.logs_group_name}


def _keep_mapped_alias() -> None:
    """AWS shows the function's ARN as it was given; moto that of the version which the alias meant."""

    def create(mapping: Any, spec: dict[str, Any]) -> None:
        create_original(mapping, spec)
        mapping.given_function = spec["FunctionName"]

    def get_configuration(mapping: Any) -> dict[str, Any]:
        answer: dict[str, Any] = get_original(mapping)
        if mapping.given_function.startswith("arn:"):
            answer["FunctionArn"] = mapping.given_function
        return answer

    create_original = replace(models.EventSourceMapping, "__init__", create, parameters=("spec",))
    get_original = replace(models.EventSourceMapping, "get_configuration", get_configuration)
