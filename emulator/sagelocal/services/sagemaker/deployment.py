"""How an update moves traffic from the old servers to the new: in which steps, how long watched by which alarms.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LOOK_INTERVAL = 0.25  # seconds between two looks at the alarms


class AlarmedError(Exception):
    """An alarm went off while the new servers were watched; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Deployment:
    """A blue/green deployment.

    Attributes
    ----------
    shares
        Of the traffic that the new servers get, step after step, from 0 to 1; the last is 1.
    wait
        Seconds for which the alarms are watched after each step.
    termination_wait
        And once more before the old servers end.
    alarms
        Names of the alarms that send all traffic back.
    """

    shares: tuple[float, ...] = (1.0,)
    wait: float = 0.0
    termination_wait: float = 0.0
    alarms: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any] | None, instances: int) -> "Deployment":
        """Read a `DeploymentConfig`, for an endpoint of so many instances.

        Without one all traffic moves at once, unwatched.
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
        """Wait, and look at the alarms meanwhile.

        Raises
        ------
        AlarmedError
            One went off.
        """
        until = time.monotonic() + seconds
        while True:
            self._look(cloudwatch)
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(LOOK_INTERVAL, left))

    def _look(self, cloudwatch: Any) -> None:
        if not self.alarms:
            return
        described = cloudwatch.describe_alarms(AlarmNames=list(self.alarms))["MetricAlarms"]
        if found := [each for each in described if each["StateValue"] == "ALARM"]:
            said = "; ".join(f"{each['AlarmName']} ({each['StateReason']})" for each in found)
            raise AlarmedError(f"The deployment was rolled back, because alarms went off: {said}")


def _shares(routing: Mapping[str, Any], instances: int) -> tuple[float, ...]:
    if routing["Type"] == "CANARY":
        return _share(routing["CanarySize"], instances), 1.0
    if routing["Type"] == "LINEAR":
        step = _share(routing["LinearStepSize"], instances)
        return tuple(min(1.0, step * nth) for nth in range(1, math.ceil(1 / step - 1e-9) + 1))
    return (1.0,)


def _share(size: Mapping[str, Any], instances: int) -> float:
    """Part of the traffic for a part of the capacity."""
    return float(size["Value"] / 100 if size["Type"] == "CAPACITY_PERCENT" else size["Value"] / instances)
