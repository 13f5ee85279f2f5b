"""The time ranges that commands accept as SINCE and UNTIL."""

from datetime import UTC, datetime, timedelta

import pytest

from common.times import MAX_CLOCK_SKEW, TimeRangeError, Window, parse_window

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        pytest.param("24h", "12h", "2026-03-07T12:00+00:00", "2026-03-08T00:00+00:00", id="hours"),
        pytest.param("7d", "30m", "2026-03-01T12:00+00:00", "2026-03-08T11:30+00:00", id="days and minutes"),
        pytest.param("2026-03-01", "2026-03-02", "2026-03-01T00:00+00:00", "2026-03-02T00:00+00:00", id="dates"),
        pytest.param(
            "2026-03-01T10:00", "2026-03-01T13:30", "2026-03-01T10:00+00:00", "2026-03-01T13:30+00:00", id="times"
        ),
        pytest.param("2026-03-01T10:00+02:00", "1d", "2026-03-01T08:00+00:00", "2026-03-07T12:00+00:00", id="offset"),
        pytest.param("2026-03-01T10:00Z", "1d", "2026-03-01T10:00+00:00", "2026-03-07T12:00+00:00", id="UTC"),
        pytest.param("", "2026-03-02", "2026-02-23T00:00+00:00", "2026-03-02T00:00+00:00", id="seven days by default"),
    ],
)
def test_range_is_parsed_from_durations_or_times(since: str, until: str, start: str, end: str) -> None:
    expected = Window(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert parse_window(since, until, now=NOW) == expected


def test_range_without_an_end_includes_the_maximum_clock_skew_after_now() -> None:
    # WHEN
    window = parse_window("24h", now=NOW)

    # THEN
    assert NOW + timedelta(minutes=10) in window
    assert window.end == NOW + MAX_CLOCK_SKEW


def test_range_includes_its_start_and_excludes_its_end() -> None:
    window = Window(NOW, NOW + timedelta(hours=1))
    assert window.start in window
    assert window.end not in window


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("yesterday", "", "SINCE must be a duration such as 24h or 7d, or a date .*got 'yesterday'"),
        ("24", "", "SINCE must be a duration"),
        ("999999d", "", "SINCE must be a duration"),
        ("0001-01-01", "", "SINCE must be a duration .* in the years 2000 to 2099"),
        ("24h", "9999-12-31", "UNTIL must be a duration"),
        ("\u0661h", "", "SINCE must be a duration"),
        ("24h", "?", "UNTIL must be a duration"),
        ("2027-01-01", "", "SINCE must not be in the future .got 2027-01-01, now it is 2026-03-08 12:00:00 UTC"),
        ("12h", "24h", "SINCE must be before UNTIL"),
        ("24h", "24h", "SINCE must be before UNTIL"),
    ],
)
def test_error_for_an_invalid_range_says_what_is_allowed(since: str, until: str, message: str) -> None:
    with pytest.raises(TimeRangeError, match=message):
        parse_window(since, until, now=NOW)


def test_text_of_a_range_without_an_end_has_only_the_start() -> None:
    # GIVEN
    now = datetime.now(UTC)

    # WHEN / THEN
    assert str(parse_window("2026-03-01", now=now)) == "since 2026-03-01 00:00:00 UTC"
    assert str(parse_window("2026-03-01", "2026-03-02", now=now)) == "2026-03-01 00:00:00 to 2026-03-02 00:00:00 UTC"
