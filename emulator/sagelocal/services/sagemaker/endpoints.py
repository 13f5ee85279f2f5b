"""Endpoints: model servers behind a name, created, updated without a dropped request, restarted, deleted."""

import random
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.sagemaker.models import SageMakerModelBackend

from sagelocal.core.emulator import Emulator
from sagelocal.core.quotas import Quotas
from sagelocal.services.sagemaker.capture import Captures
from sagelocal.services.sagemaker.deployment import AlarmedError, Deployment
from sagelocal.services.sagemaker.logs import LogStream
from sagelocal.services.sagemaker.processes import Processes
from sagelocal.services.sagemaker.registry import container_of
from sagelocal.services.sagemaker.servers import HostingError, ModelServer
from sagelocal.services.sagemaker.variants import Fleet, Variant

LOG_GROUP = "/aws/sagemaker/Endpoints/"
REPLACED_LIMIT = 60.0  # seconds that requests under way are given when their server is replaced
DELETED_LIMIT = 5.0  # and when the endpoint is deleted


class _DeletedError(Exception):
    """The endpoint was deleted while it was updated."""


class Endpoints:
    """All endpoints' servers, by the endpoint's ARN."""

    def __init__(self, emulator: Emulator, processes: Processes, captures: Captures) -> None:
        self._emulator = emulator
        self._processes = processes
        self._captures = captures
        self._fleets: dict[str, Fleet] = {}
        self._green: dict[str, tuple[Fleet, float]] = {}  # that are to take over, and their share of the traffic
        self._lock = threading.Lock()

    @property
    def quotas(self) -> Quotas:
        """How many instances the account may use."""
        return self._emulator.quotas

    def fleet(self, arn: str) -> Fleet | None:
        """The servers that answer an endpoint's next request; None while there are none."""
        green, share = self._green.get(arn, (None, 0.0))
        if green and random.random() < share:  # noqa: S311 (traffic, not secrets)
            return green
        return self._fleets.get(arn)

    def bring_up(self, backend: SageMakerModelBackend, endpoint: Any, config_name: str, deployment: Deployment) -> None:
        """Serve a configuration: new servers first, then traffic moves to them, then the old ones end.

        Where the new ones do not come up, or an alarm goes off meanwhile, the endpoint keeps what it has, or has
        failed if it has nothing.
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
            self._deploy(backend, endpoint, fleet, config, deployment)

    def take_down(self, arn: str) -> None:
        """End an endpoint's servers, and write what they captured."""
        with self._lock:
            fleets = [self._fleets.pop(arn, None), self._green.pop(arn, (None, 0.0))[0]]
        for fleet in filter(None, fleets):
            fleet.drain(DELETED_LIMIT)
        self._captures.flush()

    def stop(self) -> None:
        """The emulator ends, and all servers with it: start none anew."""
        for fleet in [*self._fleets.values(), *(green for green, _ in self._green.values())]:
            for variant in fleet.variants:
                variant.leave()

    def _give_up(self, endpoint: Any, reason: str) -> None:
        endpoint.failure_reason = reason
        endpoint.pending_deployment_summary = None
        endpoint.endpoint_status = "InService" if endpoint.arn in self._fleets else "Failed"
        endpoint.last_modified_time = datetime.now(UTC)

    def _deploy(
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
                self._shift(backend, endpoint, fleet, deployment)
            self._settle(backend, endpoint, fleet)
        except AlarmedError as error:
            endpoint.endpoint_status = "RollingBack"
            self._green.pop(endpoint.arn, None)
            fleet.drain(REPLACED_LIMIT)
            self._give_up(endpoint, str(error))
        except _DeletedError:
            fleet.drain(DELETED_LIMIT)
        else:
            _show(endpoint, fleet, config)
            if old:
                old.drain(REPLACED_LIMIT)

    def _shift(self, backend: SageMakerModelBackend, endpoint: Any, fleet: Fleet, deployment: Deployment) -> None:
        """Move traffic to the new servers, step after step.

        Raises
        ------
        AlarmedError
            An alarm went off.
        """
        cloudwatch = self._emulator.client("cloudwatch", backend.region_name)
        for share in deployment.shares:
            with self._lock:
                _check_wanted(backend, endpoint)
                self._green[endpoint.arn] = (fleet, share)
            deployment.watch(cloudwatch, deployment.wait)
        deployment.watch(cloudwatch, deployment.termination_wait)

    def _settle(self, backend: SageMakerModelBackend, endpoint: Any, fleet: Fleet) -> None:
        """Let the new servers be the endpoint's own."""
        with self._lock:
            _check_wanted(backend, endpoint)
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


def _check_wanted(backend: SageMakerModelBackend, endpoint: Any) -> None:
    if backend.endpoints.get(endpoint.endpoint_name) is not endpoint:
        raise _DeletedError


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
    endpoint.pending_deployment_summary = None
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
