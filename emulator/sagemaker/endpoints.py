"""Endpoints: model servers behind a name, created, updated without a dropped request, restarted, deleted."""

import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.sagemaker.models import SageMakerModelBackend

from emulator.context import Emulator
from emulator.quotas import Quotas
from emulator.sagemaker.capture import Captures
from emulator.sagemaker.logs import LogStream
from emulator.sagemaker.processes import Processes
from emulator.sagemaker.registry import container_of
from emulator.sagemaker.servers import HostingError, ModelServer
from emulator.sagemaker.variants import Fleet, Variant

LOG_GROUP = "/aws/sagemaker/Endpoints/"
REPLACED_LIMIT = 60.0  # seconds that requests under way are given when their server is replaced
DELETED_LIMIT = 5.0  # and when the endpoint is deleted


class Endpoints:
    """All endpoints' servers, by the endpoint's ARN."""

    def __init__(self, emulator: Emulator, processes: Processes, captures: Captures) -> None:
        self._emulator = emulator
        self._processes = processes
        self._captures = captures
        self._fleets: dict[str, Fleet] = {}
        self._lock = threading.Lock()

    @property
    def quotas(self) -> Quotas:
        """How many instances the account may use."""
        return self._emulator.quotas

    def fleet(self, arn: str) -> Fleet | None:
        """The servers that answer for an endpoint now; None while there are none."""
        return self._fleets.get(arn)

    def bring_up(self, backend: SageMakerModelBackend, endpoint: Any, config_name: str) -> None:
        """Serve a configuration: new servers first, then the switch, then the old ones end.

        Where the new ones do not come up, the endpoint keeps what it has, or has failed if it has nothing.
        """
        try:
            config = dict(backend.endpoint_configs[config_name].response_object)
            fleet = self._start(backend, endpoint.endpoint_name, config)
        except HostingError as error:
            self._give_up(endpoint, str(error))
        except Exception as error:
            self._give_up(endpoint, f"InternalServerError: {type(error).__name__}: {error}")
            raise
        else:
            self._switch(backend, endpoint, fleet, config)

    def take_down(self, arn: str) -> None:
        """End an endpoint's servers, and write what they captured."""
        with self._lock:
            fleet = self._fleets.pop(arn, None)
        if fleet:
            fleet.drain(DELETED_LIMIT)
            self._captures.flush()

    def stop(self) -> None:
        """The emulator ends, and all servers with it: start none anew."""
        for fleet in self._fleets.values():
            for variant in fleet.variants:
                variant.leave()

    def _give_up(self, endpoint: Any, reason: str) -> None:
        endpoint.failure_reason = reason
        endpoint.endpoint_status = "InService" if endpoint.arn in self._fleets else "Failed"
        endpoint.last_modified_time = datetime.now(UTC)

    def _switch(self, backend: SageMakerModelBackend, endpoint: Any, fleet: Fleet, config: Mapping[str, Any]) -> None:
        with self._lock:
            wanted = backend.endpoints.get(endpoint.endpoint_name) is endpoint
            old = self._fleets.get(endpoint.arn)
            if wanted:
                self._fleets[endpoint.arn] = fleet
        if not wanted:  # deleted meanwhile
            fleet.drain(DELETED_LIMIT)
            return
        _show(endpoint, fleet, config)
        if old:
            old.drain(REPLACED_LIMIT)

    def _start(self, backend: SageMakerModelBackend, endpoint_name: str, config: Mapping[str, Any]) -> Fleet:
        started: list[Variant] = []
        try:
            for variant in config["ProductionVariants"]:
                started.append(self._start_variant(backend, endpoint_name, variant))
        except Exception:
            for variant in started:
                variant.drain(0)
            raise
        return Fleet(tuple(started), config.get("DataCaptureConfig") or {})

    def _start_variant(self, backend: SageMakerModelBackend, endpoint_name: str, variant: Mapping[str, Any]) -> Variant:
        container = container_of(backend, variant["ModelName"])
        region = backend.region_name
        log = LogStream(
            self._emulator.client("logs", region),
            LOG_GROUP + endpoint_name,
            f"{variant['VariantName']}/i-{secrets.token_hex(8)}",
        )

        def start() -> ModelServer:
            return ModelServer(self._emulator, self._processes, container, region=region, log=log)

        weight = variant.get("InitialVariantWeight")
        return Variant(
            variant["VariantName"],
            1.0 if weight is None else weight,
            image=container.get("Image", ""),
            log=log,
            start=start,
        )


def _show(endpoint: Any, fleet: Fleet, config: Mapping[str, Any]) -> None:
    """Let DescribeEndpoint tell of the configuration that is served."""
    endpoint.endpoint_config_name = config["EndpointConfigName"]
    described = endpoint._process_production_variants(config["ProductionVariants"])
    endpoint.production_variants = [
        {**shown, "DeployedImages": _images(variant.image)}
        for shown, variant in zip(described, fleet.variants, strict=True)
    ]
    capture = config.get("DataCaptureConfig")
    endpoint.data_capture_config = _capture_summary(capture) if capture else None
    endpoint.failure_reason = None
    endpoint.endpoint_status = "InService"
    endpoint.last_modified_time = datetime.now(UTC)


def _images(image: str) -> list[dict[str, Any]]:
    return [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": datetime.now(UTC)}]


def _capture_summary(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "EnableCapture": bool(config.get("EnableCapture")),
        "CaptureStatus": "Started" if config.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": config.get("InitialSamplingPercentage"),
        "DestinationS3Uri": config.get("DestinationS3Uri"),
    }
