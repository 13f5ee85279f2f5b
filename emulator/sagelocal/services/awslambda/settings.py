"""Settings of functions and event source mappings that Terraform sets, but moto does not store or update."""

from typing import Any

from moto.awslambda import models
from moto.logs.models import LogsBackend

from sagelocal.core.patching import add, replace


def install() -> None:
    """Make moto store dead-letter targets, log settings, tracing updates and the functions of event source mappings."""
    _store_settings()
    _store_mapped_arn()
    # When moto publishes a version, it deep-copies the function, including all logs. Without this patch, the version
    # would have its own copy of the logs, and the copy would fail while another thread writes a log event.
    add(LogsBackend, "__deepcopy__", lambda backend, memo: backend)


def _store_settings() -> None:
    def create(function: Any, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        create_original(function, account_id, spec, region, version)
        _store(function, spec)

    def get_configuration(function: Any, on_create: bool = False) -> dict[str, Any]:
        configuration: dict[str, Any] = get_original(function, on_create)
        configuration["LoggingConfig"] = function.logging
        if function.dead_letters and function.dead_letters.get("TargetArn"):
            configuration["DeadLetterConfig"] = function.dead_letters
        return configuration

    def update_configuration(function: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        stored = {"DeadLetterConfig": function.dead_letters, "LoggingConfig": function.logging}
        _store(function, {**stored, **config_updates})
        function.tracing_config = config_updates.get("TracingConfig") or function.tracing_config  # moto ignores it
        configuration: dict[str, Any] = update_original(function, config_updates)
        return configuration

    create_original = replace(
        models.LambdaFunction, "__init__", create, parameters=("account_id", "spec", "region", "version")
    )
    get_original = replace(models.LambdaFunction, "get_configuration", get_configuration, parameters=("on_create",))
    update_original = replace(
        models.LambdaFunction, "update_configuration", update_configuration, parameters=("config_updates",)
    )


def _store(function: Any, spec: dict[str, Any]) -> None:
    """Store a request's dead-letter target and log settings. Only the log format `JSON` has log levels."""
    function.dead_letters = spec.get("DeadLetterConfig")
    config = spec.get("LoggingConfig") or {}
    log_format = config.get("LogFormat", "Text")
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if log_format == "JSON" else {}
    function.logs_group_name = config.get("LogGroup", function.logs_group_name)
    function.logging = {**levels, **config, "LogFormat": log_format, "LogGroup": function.logs_group_name}


def _store_mapped_arn() -> None:
    """Make event source mappings return the function ARN of the request, as on AWS.

    If the request names an alias, moto would return the ARN of the alias's version.
    """

    def create(mapping: Any, spec: dict[str, Any]) -> None:
        create_original(mapping, spec)
        mapping.requested_function = spec["FunctionName"]

    def get_configuration(mapping: Any) -> dict[str, Any]:
        configuration: dict[str, Any] = get_original(mapping)
        if mapping.requested_function.startswith("arn:"):
            configuration["FunctionArn"] = mapping.requested_function
        return configuration

    def update(backend: Any, uuid: str, spec: dict[str, Any]) -> Any:
        mapping = update_original(backend, uuid, spec)
        if mapping and "FunctionName" in spec:
            mapping.requested_function = spec["FunctionName"]
        return mapping

    update_original = replace(models.LambdaBackend, "update_event_source_mapping", update, parameters=("uuid", "spec"))
    create_original = replace(models.EventSourceMapping, "__init__", create, parameters=("spec",))
    get_original = replace(models.EventSourceMapping, "get_configuration", get_configuration)
