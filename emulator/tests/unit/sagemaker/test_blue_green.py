"""Blue/green deployments: traffic shares of a DeploymentConfig, and alarms."""

from typing import Any

import pytest

from sagelocal.services.sagemaker.blue_green import AlarmError, Deployment


def config(**routing: Any) -> dict[str, Any]:
    """Return a DeploymentConfig with a TrafficRoutingConfiguration and one alarm."""
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"WaitIntervalInSeconds": 0, **routing},
            "TerminationWaitInSeconds": 1,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "some-alarm"}]},
    }


class FakeCloudWatch:
    """A CloudWatch client with one alarm, which has a given state."""

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
def test_traffic_shares_of_each_step_follow_the_routing_configuration(
    routing: dict[str, Any], shares: tuple[float, ...]
) -> None:
    assert Deployment.of(config(**routing), 4).shares == pytest.approx(shares)


def test_all_traffic_shifts_at_once_without_a_deployment_config() -> None:
    assert Deployment.of(None, 1) == Deployment(shares=(1.0,), wait=0, termination_wait=0, alarms=())


def test_watch_raises_an_error_with_the_alarms_reason() -> None:
    # GIVEN
    deployment = Deployment.of(config(Type="ALL_AT_ONCE"), 1)

    # WHEN / THEN
    deployment.watch(FakeCloudWatch("OK"), 0)
    with pytest.raises(AlarmError, match=r"some-alarm \(3 failures\)"):
        deployment.watch(FakeCloudWatch("ALARM"), 60)
