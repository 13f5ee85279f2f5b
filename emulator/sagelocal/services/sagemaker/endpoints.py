"""Starts and stops the model servers of all endpoints, and replaces them without dropping requests."""

import random
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.sagemaker.models import SageMakerModelBackend

from sagelocal.core.emulator import Emulator
from sagelocal.core.quotas import Quotas
from sagelocal.services.sagemaker.blue_green import AlarmError, Deployment
from sagelocal.services.sagemaker.child_processes import Processes
from sagelocal.services.sagemaker.data_capture import Captures
from sagelocal.services.sagemaker.errors import HostingError
from sagelocal.services.sagemaker.log_stream import LogStream
from sagelocal.services.sagemaker.model_packages import container_of
from sagelocal.services.sagemaker.model_server import ModelServer
from sagelocal.services.sagemaker.production_variants import Fleet, Variant

LOG_GROUP = "/aws/sagemaker/Endpoints/"
# seconds to wait for pending requests before a server is stopped
UPDATE_DRAIN_LIMIT = 60.0
DELETE_DRAIN_LIMIT = 5.0


class Endpoints:
    """The servers of all endpoints, by endpoint ARN."""

    def __init__(self, emulator: Emulator, processes: Processes, captures: Captures) -> None:
        self._emulator = emulator
        self._processes = processes
        self._captures = captures
        self._fleets: dict[str, Fleet] = {}
        # the new servers of an endpoint that is being updated, and their share of the traffic (0 to 1)
        self._green: dict[str, tuple[Fleet, float]] = {}
        self._lock = threading.Lock()

    @property
    def quotas(self) -> Quotas:
        """The account's instance quotas."""
        return self._emulator.quotas

    def fleet(self, arn: str) -> Fleet | None:
        """Return the servers for an endpoint's next request, or None if the endpoint has no servers.

        During an update, the old or the new servers are chosen at random, according to the new servers' traffic share.
        """
        green, share = self._green.get(arn, (None, 0.0))
        if green and random.random() < share:  # noqa: S311 (traffic, not secrets)
            return green
        return self._fleets.get(arn)

    def deploy(self, backend: SageMakerModelBackend, endpoint: Any, config_name: str, deployment: Deployment) -> None:
        """Start the servers of an endpoint configuration, shift the traffic to them, and stop the old servers.

        If a new server does not start or an alarm goes into ALARM, the endpoint keeps its old servers. An endpoint
        without old servers gets the status Failed.
        """
        try:
            config = dict(backend.endpoint_configs[config_name].response_object)
            fleet = self._start(backend, endpoint.endpoint_name, config)
        except HostingError as error:
            self._fail(endpoint, str(error))
        except Exception as error:
            self._fail(endpoint, f"InternalServerError: {type(error).__name__}: {error}")
            raise
        else:
            self._replace(backend, endpoint, fleet, config, deployment)

    def delete(self, arn: str) -> None:
        """Stop an endpoint's servers and write their captured data."""
        with self._lock:
            fleets = [self._fleets.pop(arn, None), self._green.pop(arn, (None, 0.0))[0]]
        for fleet in filter(None, fleets):
            fleet.drain(DELETE_DRAIN_LIMIT)
        self._captures.flush()

    def stop(self) -> None:
        """Stop restarting servers that have ended; called when the emulator stops."""
        for fleet in [*self._fleets.values(), *(green for green, _ in self._green.values())]:
            for variant in fleet.variants:
                variant.stop_watching()

    def _fail(self, endpoint: Any, reason: str) -> None:
        endpoint.failure_reason = reason
        endpoint.pending_deployment_summary = None
        endpoint.last_modified_time = datetime.now(UTC)
        endpoint.endpoint_status = "InService" if endpoint.arn in self._fleets else "Failed"

    def _replace(
        self,
        backend: SageMakerModelBackend,
        endpoint: Any,
        fleet: Fleet,
        config: Mapping[str, Any],
        deployment: Deployment,
    ) -> None:
        old = self._fleets.get(endpoint.arn)
        try:
            if old:
                self._shift_traffic(backend, endpoint, fleet, deployment)
        except AlarmError as error:
            endpoint.endpoint_status = "RollingBack"
            self._green.pop(endpoint.arn, None)
            fleet.drain(UPDATE_DRAIN_LIMIT)
            self._fail(endpoint, str(error))
        else:
            self._activate(endpoint, fleet)
            _describe(endpoint, fleet, config)
            if old:
                old.drain(UPDATE_DRAIN_LIMIT)

    def _shift_traffic(
        self, backend: SageMakerModelBackend, endpoint: Any, fleet: Fleet, deployment: Deployment
    ) -> None:
        """Shift the traffic to the new servers step by step.

        Raises
        ------
        AlarmError
            If an alarm is in state ALARM.
        """
        cloudwatch = self._emulator.client("cloudwatch", backend.region_name)
        for share in deployment.shares:
            self._green[endpoint.arn] = (fleet, share)
            deployment.watch(cloudwatch, deployment.wait)
        deployment.watch(cloudwatch, deployment.termination_wait)

    def _activate(self, endpoint: Any, fleet: Fleet) -> None:
        """Send all traffic to the new servers."""
        with self._lock:
            self._fleets[endpoint.arn] = fleet
            self._green.pop(endpoint.arn, None)

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
            on_demand="ServerlessConfig" in variant,
        )


def _describe(endpoint: Any, fleet: Fleet, config: Mapping[str, Any]) -> None:
    """Store the active endpoint configuration in the record that DescribeEndpoint returns."""
    endpoint.endpoint_config_name = config["EndpointConfigName"]
    described = endpoint._process_production_variants(config["ProductionVariants"])
    endpoint.production_variants = [
        {**description, "DeployedImages": _images(variant.image)}
        for description, variant in zip(described, fleet.variants, strict=True)
    ]
    capture = config.get("DataCaptureConfig")
    endpoint.data_capture_config = _capture_summary(capture) if capture else None
    endpoint.failure_reason = None
    endpoint.pending_deployment_summary = None
    endpoint.last_modified_time = datetime.now(UTC)
    endpoint.endpoint_status = "InService"


def _images(image: str) -> list[dict[str, Any]]:
    return [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": datetime.now(UTC)}]


def _capture_summary(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "EnableCapture": bool(config.get("EnableCapture")),
        "CaptureStatus": "Started" if config.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": config.get("InitialSamplingPercentage"),
        "DestinationS3Uri": config.get("DestinationS3Uri"),
    }
