"""Lambda's Invoke, in the place of moto's, which would run Docker or echo."""

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
from sagelocal.services.awslambda import configuration
from sagelocal.services.awslambda.archives import ArchiveError
from sagelocal.services.awslambda.asynchronous import Events
from sagelocal.services.awslambda.errors import (
    InvalidZipError,
    RequestContentError,
    RequestTooLargeError,
    RuntimeMissingError,
    TooManyRequestsError,
)
from sagelocal.services.awslambda.function import Archive, Function, Logging, Result
from sagelocal.services.awslambda.pool import ConcurrencyError, Pool
from sagelocal.services.cloudwatch import metrics

MOST_BYTES = 6_291_456
MOST_BYTES_OF_EVENT = 1_048_576
LOG_TAIL_BYTES = 4096
INVOKED = ("function_name", "qualifier", "body", "headers", "response_headers")


def install(emulator: Emulator) -> None:
    """Replace where all of moto's invocations end, and what ends a function or changes it."""
    pool = Pool(emulator.directory / "lambda", emulator.child_environment)
    emulator.on_stop(pool.close)
    service = Service(pool, Events(emulator))
    replace(models.LambdaBackend, "invoke", service.by_name(), parameters=INVOKED)
    replace(
        models.LambdaFunction,
        "invoke",
        service.by_function(),
        parameters=("body", "request_headers", "response_headers"),
    )
    _read_qualifier()
    retire = _retiring(pool)
    for name, parameters in {
        "update_configuration": ("config_updates",),
        "update_function_code": ("updated_spec",),
    }.items():
        _wrap(models.LambdaFunction, name, parameters, after=retire)
    _forget_deleted(pool)
    configuration.install()


class Service:
    """What Invoke does."""

    def __init__(self, pool: Pool, events: Events) -> None:
        self._pool = pool
        self._events = events
        self._log_lock = threading.Lock()

    def by_name(self) -> Callable[..., bytes]:
        """The replacement of `LambdaBackend.invoke`: by name or ARN, with a qualifier perhaps."""

        def invoke(
            backend: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
        ) -> bytes:
            version, arn = _resolve(backend, function_name, qualifier)
            payload = self._invoke(version, arn, body, headers, response_headers)
            response_headers["Content-Length"] = str(len(payload))
            return payload

        return invoke

    def by_function(self) -> Callable[..., bytes]:
        """The replacement of `LambdaFunction.invoke`, which other services of moto call."""

        def invoke(version: Any, body: Any, request_headers: Any, response_headers: Any) -> bytes:
            return self._invoke(version, version.function_arn, body, request_headers, response_headers)

        return invoke

    def _invoke(self, version: Any, arn: str, body: Any, headers: Any, response_headers: Any) -> bytes:
        given = {name.lower(): value for name, value in dict(headers or {}).items()}
        kind = given.get("x-amz-invocation-type", "RequestResponse")
        payload = _payload(body, most=MOST_BYTES_OF_EVENT if kind == "Event" else MOST_BYTES)
        run = functools.partial(self._run, version, arn, payload)
        response_headers["X-Amz-Executed-Version"] = str(version.version)
        if kind == "Event":
            _function(version)  # refuse at once what can never run
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
        begun = time.monotonic()
        try:
            result = self._pool.invoke(function, payload, arn=arn, reserved=_reserved(version))
        except ConcurrencyError:
            _report(version, {"Throttles": 1})
            raise TooManyRequestsError from None
        except ArchiveError as error:
            raise InvalidZipError(str(error)) from error
        milliseconds = (time.monotonic() - begun) * 1000
        _report(version, {"Invocations": 1, "Errors": float(result.failed), "Duration": milliseconds})
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


def _report(version: Any, values: dict[str, float]) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    metrics.put(version.account_id, version.region, "AWS/Lambda", {"FunctionName": version.function_name}, values)


def _read_qualifier() -> None:
    """Moto looks for `qualifier`, but it comes as `Qualifier`."""

    def invoke(request: Any) -> Any:
        request.querystring["qualifier"] = request.querystring.get("Qualifier", [None])
        return original(request)

    original = replace(LambdaResponse, "invoke", invoke)


def _resolve(backend: Any, name: str, qualifier: str | None) -> tuple[Any, str]:
    """The version that an alias or number means, and the ARN as it was asked for."""
    version = backend.get_function(name, qualifier)
    given = name.split(":function:")[-1].partition(":")[2] or qualifier
    arn = _unqualified(version.function_arn)
    if given:
        version = _routed(backend, version, given)
    return version, f"{arn}:{given}" if given else arn


def _routed(backend: Any, version: Any, qualifier: str) -> Any:
    """Another version, as often as the alias's routing says."""
    aliases = {alias.name: alias for alias in backend.list_aliases(version.function_name)}
    routing = getattr(aliases.get(qualifier), "routing_config", None) or {}
    chance = random.random()  # noqa: S311 (no secret)
    for number, weight in (routing.get("AdditionalVersionWeights") or {}).items():
        chance -= weight
        if chance < 0:
            return backend.get_function(version.function_name, number)
    return version


def _function(version: Any) -> Function:
    """What moto keeps of a version, as the pool takes it."""
    runtime = version.run_time or ""
    if version.package_type != "Zip" or not runtime.startswith("python"):
        raise RuntimeMissingError(runtime or "container images")
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


def _payload(body: Any, *, most: int) -> bytes:
    payload = body.encode() if isinstance(body, str) else bytes(body or b"")
    if len(payload) > most:
        raise RequestTooLargeError(most)
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        raise RequestContentError(str(error)) from error
    return payload or b"{}"


def _reserved(version: Any) -> int | None:
    """Moto keeps it with the unpublished version; it counts for all of them."""
    latest = get_backend(version.account_id, version.region).get_function(version.function_name)
    return None if latest.reserved_concurrency is None else int(latest.reserved_concurrency)


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _wrap(owner: Any, name: str, parameters: tuple[str, ...], *, after: Callable[[Any], None]) -> None:
    def wrapped(version: Any, argument: Any) -> Any:
        answer = original(version, argument)
        after(version)
        return answer

    original = replace(owner, name, wrapped, parameters=parameters)


def _retiring(pool: Pool) -> Callable[[Any], None]:
    return lambda version: pool.retire(_unqualified(version.function_arn), str(version.version))


def _forget_deleted(pool: Pool) -> None:
    def delete_function(backend: Any, function_name: str, qualifier: str | None = None) -> None:
        version = backend.get_function(function_name, qualifier)
        original(backend, function_name, qualifier)
        named = function_name.split(":function:")[-1].partition(":")[2] or qualifier
        pool.retire(_unqualified(version.function_arn), str(version.version) if named else None)

    original = replace(
        models.LambdaBackend, "delete_function", delete_function, parameters=("function_name", "qualifier")
    )
