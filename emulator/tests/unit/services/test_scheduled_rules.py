"""EventBridge rules with a schedule: due times and events.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.events.models import Rule

from sagelocal.services.events.schedules import LastTimes, scheduled_event, take_due

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def make_rule(expression: str, state: str = "ENABLED") -> Any:
    """Return a rule with a schedule expression."""
    rule: Any = Rule  # because moto declares the class as abstract
    return rule("nightly", "123456789012", "us-east-1", None, None, expression, None, "default", state)


def test_rate_is_due_at_each_interval_after_the_creation_of_the_rule() -> None:
    # GIVEN
    rules, times = [make_rule("rate(1 minute)")], LastTimes()
    # WHEN
    due = [len(take_due(rules, times, NOON + timedelta(seconds=seconds))) for seconds in (0, 59, 60, 61, 119, 120)]
    # THEN
    assert due == [0, 0, 1, 0, 0, 1]


def test_cron_expression_is_due_at_its_time_in_utc() -> None:
    # GIVEN
    rules, times = [make_rule("cron(1 12 * * ? *)")], LastTimes()
    # WHEN
    due = [len(take_due(rules, times, NOON + timedelta(seconds=seconds))) for seconds in (0, 59, 60, 61)]
    # THEN
    assert due == [0, 0, 1, 0]


def test_disabled_rule_is_never_due_and_skips_missed_times() -> None:
    # GIVEN a rule that is disabled for ten minutes
    rule, times = make_rule("rate(1 minute)", "DISABLED"), LastTimes()
    for minutes in range(10):
        assert take_due([rule], times, NOON + timedelta(minutes=minutes)) == []
    # WHEN
    rule.enable()
    # THEN it is due only at the next interval
    assert take_due([rule], times, NOON + timedelta(minutes=9, seconds=30)) == []
    assert take_due([rule], times, NOON + timedelta(minutes=10)) == [rule]


def test_scheduled_event_contains_the_arn_of_the_rule() -> None:
    # WHEN
    event = scheduled_event(make_rule("rate(1 minute)"))
    # THEN
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/nightly"]
