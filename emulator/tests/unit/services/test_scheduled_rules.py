"""Scheduled rules of EventBridge send their events when they are due.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.events.models import Rule

from sagelocal.services.events.schedules import LastTimes, scheduled_event, take_due

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def make_rule(expression: str, state: str = "ENABLED") -> Any:
    rule: Any = Rule  # moto declares it as abstract
    return rule("nightly", "123456789012", "us-east-1", None, None, expression, None, "default", state)


def test_rate_starts_with_the_rule_and_repeats() -> None:
    # GIVEN
    rules, times = [make_rule("rate(1 minute)")], LastTimes()
    # WHEN
    due = [len(take_due(rules, times, NOON + timedelta(seconds=seconds))) for seconds in (0, 59, 60, 61, 119, 120)]
    # THEN
    assert due == [0, 0, 1, 0, 0, 1]


def test_cron_is_in_utc() -> None:
    # GIVEN
    rules, times = [make_rule("cron(1 12 * * ? *)")], LastTimes()
    # WHEN
    due = [len(take_due(rules, times, NOON + timedelta(seconds=seconds))) for seconds in (0, 59, 60, 61)]
    # THEN
    assert due == [0, 0, 1, 0]


def test_disabled_rule_sends_nothing_and_does_not_catch_up() -> None:
    # GIVEN a rule that is disabled for ten minutes
    rule, times = make_rule("rate(1 minute)", "DISABLED"), LastTimes()
    for minutes in range(10):
        assert take_due([rule], times, NOON + timedelta(minutes=minutes)) == []
    # WHEN
    rule.enable()
    # THEN
    assert take_due([rule], times, NOON + timedelta(minutes=9, seconds=30)) == []
    assert take_due([rule], times, NOON + timedelta(minutes=10)) == [rule]


def test_event_names_the_rule() -> None:
    # WHEN
    event = scheduled_event(make_rule("rate(1 minute)"))
    # THEN
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/nightly"]
