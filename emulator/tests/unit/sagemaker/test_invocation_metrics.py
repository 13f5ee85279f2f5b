"""CloudWatch metrics of endpoint invocations."""

from sagelocal.services.sagemaker.invocation_metrics import MAX_LATENCIES, Invocation, Target, metric_data, sample

TARGET = Target("123456789012", "us-east-1", "some-endpoint", "AllTraffic")


def test_metrics_count_invocations_and_errors_as_on_aws() -> None:
    # GIVEN a success, a client error, a server error, and a request without a response (status 0)
    batch = [Invocation(status, 1000.0, 10.0, 2) for status in (200, 400, 500, 0)]

    # WHEN
    found = {each["MetricName"]: each for each in metric_data(TARGET, batch)}

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


def test_sample_of_latencies_spans_all_values_and_contains_the_greatest() -> None:
    # GIVEN
    latencies = [float(n) for n in range(1001)]

    # WHEN
    kept = sample(latencies)

    # THEN
    assert len(kept) <= MAX_LATENCIES
    assert max(kept) == 1000
    assert min(kept) < 60
