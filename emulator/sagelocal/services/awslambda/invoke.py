"""The Invoke operation. It replaces moto's implementation, which needs Docker."""

import base64
import functools
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.awslambda import models
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.utils import get_backend

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.awslambda import event_sources, policies, settings
from sagelocal.services.awslambda.errors import (
    RequestContentError,
    RequestTooLargeError,
    TooManyRequestsError,
    UnsupportedRuntimeError,
)
from sagelocal.services.awslambda.events import Events
from sagelocal.services.awslambda.function import Archive, Function, Logging, Result
from sagelocal.services.awslambda.pool import Pool
from sagelocal.services.cloudwatch import metrics

MAX_PAYLOAD_BYTES = 6_291_456
MAX_EVENT_BYTES = 1_048_576
LOG_TAIL_BYTES = 4096
INVOKE_PARAMETERS = ("function_name", "qualifier", "body", "headers", "response_headers")


def install(emulator: Emulator) -> None:
    """Run functions in child processes, which end when the function is updated or deleted."""
    pool = Pool(emulator.directory / "lambda", emulator.child_environment, emulator.backlog, emulator.watch)
    emulator.on_stop(pool.close)
    invoker = Invoker(pool, Events(emulator))
    replace(models.LambdaBackend, "invoke", invoker.by_name(), parameters=INVOKE_PARAMETERS)
    replace(
        models.LambdaFunction,
        "invoke",
        invoker.by_version(),
        parameters=("body", "request_headers", "response_headers"),
    )
    _read_qualifier()
    _retire_on_update(pool, "update_configuration", "config_updates")
    _retire_on_update(pool, "update_function_code", "updated_spec")
    _retire_on_delete(pool)
    settings.install()
    policies.install()
    event_sources.install(emulator, invoker.for_mapping)


class Invoker:
    """Runs synchronous and asynchronous invocations, and writes their logs and metrics."""

    def __init__(self, pool: Pool, events: Events) -> None:
        self._pool = pool
        self._events = events
        self._log_lock = threading.Lock()

    def by_name(self) -> Callable[..., bytes]:
        """Return the replacement for `LambdaBackend.invoke`, whose parameter is a function name or an ARN."""

        def invoke(
            backend: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
        ) -> bytes:
            version, arn = _resolve(backend, function_name, qualifier)
            payload = self._invoke(version, arn, body, headers, response_headers)
            response_headers["Content-Length"] = str(len(payload))
            return payload

        return invoke

    def by_version(self) -> Callable[..., bytes]:
        """Return the replacement for `LambdaFunction.invoke`, which moto's other services call."""

        def invoke(version: Any, body: Any, request_headers: Any, response_headers: Any) -> bytes:
            return self._invoke(version, version.function_arn, body, request_headers, response_headers)

        return invoke

    def for_mapping(self, mapping: Any, payload: bytes) -> Result:
        """Invoke the function of an event source mapping and return the result.

        Parameters
        ----------
        payload
            The event, as JSON.
        """
        backend = get_backend(mapping.account_id, mapping.region)
        version, arn = _resolve(backend, mapping.requested_function, None)
        return self._run(version, arn, payload)

    def _invoke(self, version: Any, arn: str, body: Any, headers: Any, response_headers: Any) -> bytes:
        lower_case = {name.lower(): value for name, value in dict(headers or {}).items()}
        kind = lower_case.get("x-amz-invocation-type", "RequestResponse")
        payload = _payload(body, limit=MAX_EVENT_BYTES if kind == "Event" else MAX_PAYLOAD_BYTES)
        run = functools.partial(self._run, version, arn, payload)
        response_headers["X-Amz-Executed-Version"] = str(version.version)
        if kind == "Event":
            _function(version)  # an unsupported runtime makes the request itself fail, not the background invocation
            self._events.accept(run, version, arn, payload)
            return b""
        if kind == "DryRun":
            return b""
        result = run()
        if result.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-log-result"] = base64.b64encode(result.log.encode()[-LOG_TAIL_BYTES:]).decode()
        return result.payload

    def _run(self, version: Any, arn: str, payload: bytes) -> Result:
        function = _function(version)
        start = time.monotonic()
        try:
            result = self._pool.invoke(function, payload, arn=arn, reserved=_reserved(version))
        except TooManyRequestsError:
            _put_metrics(version, {"Throttles": 1})
            raise
        milliseconds = (time.monotonic() - start) * 1000
        _put_metrics(version, {"Invocations": 1, "Errors": float(result.failed), "Duration": milliseconds})
        self._log(version, result)
        return result

    def _log(self, version: Any, result: Result) -> None:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in result.log.split("\n") if line]
        backend, group = version.logs_backend, version.logs_group_name
        with self._log_lock:
            backend.ensure_log_group(group)
            backend.ensure_log_stream(group, result.log_stream)
        backend.put_log_events(group, result.log_stream, events)


def _put_metrics(version: Any, values: dict[str, float]) -> None:
    # Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    metrics.put(version.account_id, version.region, "AWS/Lambda", {"FunctionName": version.function_name}, values)


def _read_qualifier() -> None:
    """Make moto read the query parameter `Qualifier`, which moto expects in lower case."""

    def invoke(request: Any) -> Any:
        request.querystring["qualifier"] = request.querystring.get("Qualifier", [None])
        return original(request)

    original = replace(LambdaResponse, "invoke", invoke)


def _resolve(backend: Any, name: str, qualifier: str | None) -> tuple[Any, str]:
    """Return moto's function version for a name and a qualifier, and the function's ARN with this qualifier."""
    version = backend.get_function(name, qualifier)
    requested = _qualifier(name, qualifier)
    arn = _unqualified(version.function_arn)
    if requested:
        version = _route(backend, version, requested)
    return version, f"{arn}:{requested}" if requested else arn


def _qualifier(name: str, qualifier: str | None) -> str | None:
    """Return the qualifier in a function name or ARN, or the request parameter `Qualifier` if the name has none."""
    return name.split(":function:")[-1].partition(":")[2] or qualifier


def _route(backend: Any, version: Any, qualifier: str) -> Any:
    """Choose a version by the weights of an alias. Return `version` if the qualifier is not an alias with weights."""
    aliases = {alias.name: alias for alias in backend.list_aliases(version.function_name)}
    routing = getattr(aliases.get(qualifier), "routing_config", None) or {}
    chance = random.random()  # noqa: S311 (not a secret)
    for number, weight in (routing.get("AdditionalVersionWeights") or {}).items():
        chance -= weight
        if chance < 0:
            return backend.get_function(version.function_name, number)
    return version


def _function(version: Any) -> Function:
    """Convert moto's function version to a `Function`."""
    runtime = version.run_time or ""
    if version.package_type != "Zip" or not runtime.startswith("python"):
        raise UnsupportedRuntimeError(runtime or "container images")
    backend = get_backend(version.account_id, version.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in version.layers]
    return Function(
        name=version.function_name,
        arn=_unqualified(version.function_arn),
        version=str(version.version),
        region=version.region,
        handler=version.handler,
        runtime=runtime,
        memory=int(version.memory_size),
        timeout=int(version.timeout),
        variables=tuple(sorted((version.environment_vars or {}).items())),
        code=Archive(version.code_sha_256, version.code_bytes),
        layers=tuple(Archive(layer.code_sha_256, layer.code_bytes) for layer in layers if layer),
        logging=Logging(
            version.logs_group_name, version.logging["LogFormat"], version.logging.get("ApplicationLogLevel")
        ),
    )


def _payload(body: Any, *, limit: int) -> bytes:
    payload = body.encode() if isinstance(body, str) else bytes(body or b"")
    if len(payload) > limit:
        raise RequestTooLargeError(limit)
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        raise RequestContentError(str(error)) from error
    return payload or b"{}"


def _reserved(version: Any) -> int | None:
    """Return the reserved concurrency of the version's function, or None if concurrency is not reserved."""
    # moto stores the reserved concurrency only in the unpublished version
    latest = get_backend(version.account_id, version.region).get_function(version.function_name)
    return None if latest.reserved_concurrency is None else int(latest.reserved_concurrency)


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _retire_on_update(pool: Pool, method: str, parameter: str) -> None:
    """End the execution environments of a function version after each call of moto's update method `method`."""

    def update(version: Any, change: Any) -> Any:
        response = original(version, change)
        pool.retire(_unqualified(version.function_arn), str(version.version))
        return response

    original = replace(models.LambdaFunction, method, update, parameters=(parameter,))


def _retire_on_delete(pool: Pool) -> None:
    """End the execution environments of a function or version whenever the function or version is deleted."""

    def delete_function(backend: Any, function_name: str, qualifier: str | None = None) -> None:
        version = backend.get_function(function_name, qualifier)
        original(backend, function_name, qualifier)
        one_version = str(version.version) if _qualifier(function_name, qualifier) else None
        pool.retire(_unqualified(version.function_arn), one_version)

    original = replace(
        models.LambdaBackend, "delete_function", delete_function, parameters=("function_name", "qualifier")
    )
