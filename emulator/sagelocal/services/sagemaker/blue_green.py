"""Blue/green deployments: the steps that shift traffic to the new servers, and the alarms that trigger a rollback.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

POLL_INTERVAL = 0.25  # seconds between two checks of the alarms


class AlarmError(Exception):
    """An alarm went into ALARM during a deployment; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Deployment:
    """A blue/green deployment.

    Attributes
    ----------
    shares
        Share of the traffic that the new servers receive in each step, from 0 to 1; the last share is 1.
    wait
        Seconds to watch the alarms after each step.
    termination_wait
        Seconds to watch the alarms before the old servers are stopped.
    alarms
        Names of the alarms that trigger a rollback.
    """

    shares: tuple[float, ...] = (1.0,)
    wait: float = 0.0
    termination_wait: float = 0.0
    alarms: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any] | None, instances: int) -> "Deployment":
        """Create a deployment from a `DeploymentConfig`.

        If there is no `BlueGreenUpdatePolicy`, the deployment shifts all traffic in one step and checks no alarms.

        Parameters
        ----------
        config
            `DeploymentConfig` of the request; None if the request has none.
        instances
            Number of the endpoint's instances, to convert a step size in instances to a share of the traffic.
        """
        policy = (config or {}).get("BlueGreenUpdatePolicy")
        if not config or not policy:
            return cls()
        routing = policy["TrafficRoutingConfiguration"]
        alarms = (config.get("AutoRollbackConfiguration") or {}).get("Alarms") or []
        return cls(
            shares=_shares(routing, instances),
            wait=routing["WaitIntervalInSeconds"],
            termination_wait=policy.get("TerminationWaitInSeconds") or 0,
            alarms=tuple(each["AlarmName"] for each in alarms),
        )

    def watch(self, cloudwatch: Any, seconds: float) -> None:
        """Check the alarms repeatedly until `seconds` have passed.

        Raises
        ------
        AlarmError
            If an alarm is in state ALARM.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._check_alarms(cloudwatch)
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            time.sleep(min(POLL_INTERVAL, remaining))

    def _check_alarms(self, cloudwatch: Any) -> None:
        if not self.alarms:
            return
        described = cloudwatch.describe_alarms(AlarmNames=list(self.alarms))["MetricAlarms"]
        if found := [each for each in described if each["StateValue"] == "ALARM"]:
            reasons = "; ".join(f"{each['AlarmName']} ({each['StateReason']})" for each in found)
            raise AlarmError(f"The deployment was rolled back because of alarms in state ALARM: {reasons}")


def _shares(routing: Mapping[str, Any], instances: int) -> tuple[float, ...]:
    if routing["Type"] == "CANARY":
        return _share(routing["CanarySize"], instances), 1.0
    if routing["Type"] == "LINEAR":
        step = _share(routing["LinearStepSize"], instances)
        return tuple(min(1.0, step * nth) for nth in range(1, math.ceil(1 / step - 1e-9) + 1))
    return (1.0,)


def _share(size: Mapping[str, Any], instances: int) -> float:
    """Convert a step size, in percent or in instances, to a share of the traffic from 0 to 1."""
    return float(size["Value"] / 100 if size["Type"] == "CAPACITY_PERCENT" else size["Value"] / instances)
