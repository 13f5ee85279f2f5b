"""Endpoints: model servers behind a name, created, updated without a dropped request, restarted, deleted."""

import random
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from emulator.context import Emulator
from emulator.replace import add, replace
from emulator.sagemaker.capture import Captures
from emulator.sagemaker.logs import LogStream
from emulator.sagemaker.processes import Processes
from emulator.sagemaker.registry import container_of
from emulator.sagemaker.servers import Answer, HostingError, ModelServer

LOG_GROUP = "/aws/sagemaker/Endpoints/"
HEALTH_INTERVAL = 0.5  # seconds between two looks at the servers
DRAIN_LIMIT = 60.0  # seconds that requests under way are given when their server is replaced


class Variant:
    """A model server of one production variant, its weight, and the requests that it is answering."""

    def __init__(self, name: str, weight: float, start: Callable[[], ModelServer]) -> None:
        self.name = name
        self.weight = weight
        self._start = start
        self._server = start()
        self._busy = 0
        self._idle = threading.Condition()

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Ask the model."""
        with self._idle:
            self._busy += 1
            server = self._server
        try:
            return server.invoke(body, headers)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def revive(self) -> None:
        """Start the server anew where it died.

        Raises
        ------
        HostingError
            It does not come up.
        """
        if not self._server.alive:
            dead, self._server = self._server, self._start()
            dead.stop()

    def drain(self) -> None:
        """End the server once it has answered what it was asked."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout=DRAIN_LIMIT)
        self._server.stop()


@dataclass(frozen=True)
class Fleet:
    """The servers of one endpoint configuration."""

    config_name: str
    variants: tuple[Variant, ...]
    capture: Mapping[str, Any]

    def choose(self, name: str | None) -> Variant | None:
        """The variant of this name, or one drawn by weight."""
        if name:
            return next((variant for variant in self.variants if variant.name == name), None)
        weights = [variant.weight for variant in self.variants]
        if not any(weights):
            return None
        return random.choices(self.variants, weights)[0]  # noqa: S311 (traffic, not secrets)

    def drain(self) -> None:
        """End all servers."""
        for variant in self.variants:
            variant.drain()


class Endpoints:
    """All endpoints' servers, by the endpoint's ARN."""

    def __init__(self, emulator: Emulator, processes: Processes, captures: Captures) -> None:
        self._emulator = emulator
        self._processes = processes
        self._captures = captures
        self._fleets: dict[str, Fleet] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        emulator.on_stop(self._stopped.set)
        threading.Thread(target=self._watch, daemon=True).start()

    def fleet(self, arn: str) -> Fleet | None:
        """The servers that answer for an endpoint now; None while there are none."""
        return self._fleets.get(arn)

    def bring_up(self, backend: SageMakerModelBackend, endpoint: Any, config_name: str) -> None:
        """Serve a configuration: new servers first, then the switch, then the old ones end.

        Where the new ones do not come up, the endpoint keeps what it has, or has failed if it has nothing.
        """
        try:
            fleet = self._start(backend, endpoint.endpoint_name, config_name)
        except HostingError as error:
            endpoint.failure_reason = str(error)
            endpoint.endpoint_status = "InService" if endpoint.arn in self._fleets else "Failed"
            endpoint.last_modified_time = datetime.now(UTC)
            return
        with self._lock:
            wanted = backend.endpoints.get(endpoint.endpoint_name) is endpoint
            old = self._fleets.get(endpoint.arn)
            if wanted:
                self._fleets[endpoint.arn] = fleet
        if not wanted:  # deleted meanwhile
            fleet.drain()
            return
        _show(endpoint, backend.endpoint_configs[config_name])
        if old:
            old.drain()

    def take_down(self, arn: str) -> None:
        """End an endpoint's servers, once what they captured is written."""
        with self._lock:
            fleet = self._fleets.pop(arn, None)
        if fleet:
            fleet.drain()
            self._captures.flush()

    def _start(self, backend: SageMakerModelBackend, endpoint_name: str, config_name: str) -> Fleet:
        config = backend.endpoint_configs[config_name].response_object
        started: list[Variant] = []
        try:
            for variant in config["ProductionVariants"]:
                started.append(self._start_variant(backend, endpoint_name, variant))
        except HostingError:
            for variant in started:
                variant.drain()
            raise
        return Fleet(config_name, tuple(started), config.get("DataCaptureConfig") or {})

    def _start_variant(self, backend: SageMakerModelBackend, endpoint_name: str, variant: Mapping[str, Any]) -> Variant:
        model = backend._models.get(variant["ModelName"])
        if model is None:
            raise HostingError(f"Could not find model {variant['ModelName']}.")
        container = container_of(backend, model)
        region = backend.region_name
        log = LogStream(
            self._emulator.client("logs", region),
            LOG_GROUP + endpoint_name,
            f"{variant['VariantName']}/i-{random.getrandbits(64):016x}",
        )

        def start() -> ModelServer:
            return ModelServer(self._emulator, self._processes, container, region=region, log=log)

        return Variant(variant["VariantName"], variant.get("InitialVariantWeight", 1), start)

    def _watch(self) -> None:
        while not self._stopped.wait(HEALTH_INTERVAL):
            for arn, fleet in list(self._fleets.items()):
                for variant in fleet.variants:
                    try:
                        variant.revive()
                    except (HostingError, OSError) as error:
                        print(f"{arn}: {variant.name} does not come up again: {error}", file=sys.stderr)


def _show(endpoint: Any, config: Any) -> None:
    """Let DescribeEndpoint tell of the configuration that is served."""
    described = config.response_object
    endpoint.endpoint_config_name = described["EndpointConfigName"]
    endpoint.production_variants = endpoint._process_production_variants(described["ProductionVariants"])
    capture = described.get("DataCaptureConfig")
    endpoint.data_capture_config = _capture_summary(capture) if capture else None
    endpoint.failure_reason = None
    endpoint.endpoint_status = "InService"
    endpoint.last_modified_time = datetime.now(UTC)


def _capture_summary(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "EnableCapture": bool(config.get("EnableCapture")),
        "CaptureStatus": "Started" if config.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": config.get("InitialSamplingPercentage"),
        "DestinationS3Uri": config.get("DestinationS3Uri"),
    }


def install(endpoints: Endpoints) -> None:
    """Put endpoints into moto."""

    def create_endpoint(
        self: SageMakerModelBackend, endpoint_name: str, endpoint_config_name: str, tags: list[dict[str, str]]
    ) -> FakeEndpoint:
        if endpoint_name in self.endpoints:
            arn = self.endpoints[endpoint_name].arn
            raise ValidationError(f'Cannot create already existing endpoint "{arn}".')
        endpoint: FakeEndpoint = create(self, endpoint_name, endpoint_config_name, tags)
        endpoint.endpoint_status = "Creating"
        endpoint.data_capture_config = {}  # moto has the configuration here, AWS a summary once it is in force
        _in_background(endpoints, self, endpoint, endpoint_config_name)
        return endpoint

    def delete_endpoint(self: SageMakerModelBackend, endpoint_name: str) -> None:
        endpoint = self.endpoints.get(endpoint_name)
        delete(self, endpoint_name)
        if endpoint:
            endpoints.take_down(endpoint.arn)

    def update_endpoint(self: SageMakerResponse) -> ActionResult:
        backend = self.sagemaker_backend
        name, config = self._get_param("EndpointName"), self._get_param("EndpointConfigName")
        backend.describe_endpoint(name)
        backend.describe_endpoint_config(config)
        endpoint: Any = backend.endpoints[name]
        if endpoint.endpoint_status != "InService":
            raise ValidationError(
                f"Cannot update endpoint {endpoint.arn} because it is in status {endpoint.endpoint_status}."
            )
        if self._get_param("DeploymentConfig"):
            endpoint.last_deployment_config = self._get_param("DeploymentConfig")
        endpoint.endpoint_status = "Updating"
        endpoint.last_modified_time = datetime.now(UTC)
        _in_background(endpoints, backend, endpoint, config)
        return ActionResult({"EndpointArn": endpoint.arn})

    create = replace(
        SageMakerModelBackend,
        "create_endpoint",
        create_endpoint,
        parameters=("endpoint_name", "endpoint_config_name", "tags"),
    )
    delete = replace(SageMakerModelBackend, "delete_endpoint", delete_endpoint, parameters=("endpoint_name",))
    add(SageMakerResponse, "update_endpoint", update_endpoint)


def _in_background(
    endpoints: Endpoints, backend: SageMakerModelBackend, endpoint: FakeEndpoint, config_name: str
) -> None:
    threading.Thread(
        target=endpoints.bring_up,
        args=(backend, endpoint, config_name),
        name=endpoint.endpoint_name,
        daemon=True,
    ).start()
