"""Reading a DeploymentConfig and watching its alarms."""

from typing import Any

import pytest

from sagelocal.services.sagemaker.blue_green import AlarmError, Deployment


def config(**routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"WaitIntervalInSeconds": 0, **routing},
            "TerminationWaitInSeconds": 1,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "some-alarm"}]},
    }


class FakeCloudWatch:
    """CloudWatch with one alarm in a given state."""

    def __init__(self, state: str) -> None:
        self._state = state

    def describe_alarms(self, **_: Any) -> dict[str, Any]:
        alarm = {"AlarmName": "some-alarm", "StateValue": self._state, "StateReason": "3 failures"}
        return {"MetricAlarms": [alarm]}


@pytest.mark.parametrize(
    ("routing", "shares"),
    [
        ({"Type": "ALL_AT_ONCE"}, (1.0,)),
        ({"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}, (0.1, 1.0)),
        ({"Type": "CANARY", "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}, (0.25, 1.0)),
        ({"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 40}}, (0.4, 0.8, 1.0)),
        ({"Type": "LINEAR", "LinearStepSize": {"Type": "INSTANCE_COUNT", "Value": 2}}, (0.5, 1.0)),
    ],
    ids=["all at once", "canary in percent", "canary in instances", "linear in percent", "linear in instances"],
)
def test_traffic_shifts_in_the_configured_steps(routing: dict[str, Any], shares: tuple[float, ...]) -> None:
    assert Deployment.of(config(**routing), 4).shares == pytest.approx(shares)


def test_without_a_policy_all_traffic_shifts_at_once() -> None:
    assert Deployment.of(None, 1) == Deployment(shares=(1.0,), wait=0, termination_wait=0, alarms=())


def test_alarm_during_a_deployment_raises_an_error_with_the_reason() -> None:
    # GIVEN
    deployment = Deployment.of(config(Type="ALL_AT_ONCE"), 1)

    # WHEN / THEN
    deployment.watch(FakeCloudWatch("OK"), 0)
    with pytest.raises(AlarmError, match=r"some-alarm \(3 failures\)"):
        deployment.watch(FakeCloudWatch("ALARM"), 60)
