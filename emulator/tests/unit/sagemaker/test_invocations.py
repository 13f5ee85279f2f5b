"""What CloudWatch is told of a batch of invocations."""

from sagelocal.services.sagemaker.invocations import LATENCIES, Invocation, Place, metrics, thinned

PLACE = Place("123456789012", "us-east-1", "some-endpoint", "AllTraffic")


def test_a_failure_is_counted_where_aws_counts_it() -> None:
    # GIVEN an answer, a refusal, a failure, and no answer at all
    batch = [Invocation(status, 1000.0, 10.0, 2) for status in (200, 400, 500, 0)]

    # WHEN
    found = {each["MetricName"]: each for each in metrics(PLACE, batch)}

    # THEN
    sums = {name: each["StatisticValues"]["Sum"] for name, each in found.items() if "StatisticValues" in each}
    assert sums == {
        "Invocations": 4,
        "Invocation4XXErrors": 1,
        "Invocation5XXErrors": 1,
        "InvocationModelErrors": 3,
        "ConcurrentRequestsPerModel": 8,
    }
    assert found["ModelLatency"]["Values"] == [1000.0] * 4
    assert found["OverheadLatency"]["Unit"] == "Microseconds"
    assert {tuple(each["Dimensions"][0].items()) for each in found.values()} == {
        (("Name", "EndpointName"), ("Value", "some-endpoint"))
    }


def test_many_latencies_are_few_values_with_the_worst_among_them() -> None:
    # GIVEN
    latencies = [float(n) for n in range(1001)]

    # WHEN
    kept = thinned(latencies)

    # THEN
    assert len(kept) <= LATENCIES
    assert max(kept) == 1000
    assert min(kept) < 60
