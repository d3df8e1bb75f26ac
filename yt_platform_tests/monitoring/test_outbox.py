"""Alerts told to real servers from a real Postgres: each once, to each, and again after what may fail between."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from yt_platform.monitoring.alerts import DRIFT, ERROR, RUN, WARNING, Alert, raise_alert, resolve_alert
from yt_platform.monitoring.notify import Log, Mail, Message, Webhook
from yt_platform.monitoring.outbox import AT_ONCE, deliver
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.frames import RUN_ID
from yt_platform_tests.receivers import Box, Hook

AT = datetime(2026, 9, 1, 6, tzinfo=UTC)
UI = "https://dagster.example.org"
FAILED = Alert(RUN, "collect", ERROR, "no network", "check the network")
DRIFTED = Alert(DRIFT, "features.video_day", WARNING, "age_days moved", link="/assets/ops/drift")


def texts(hook: Hook) -> list[str]:
    return [message["text"] for message in hook.received]


def test_every_channel_is_told_once_with_page_and_remedy(
    warehouse: Warehouse, hook: Hook, box: tuple[Box, int], caplog: pytest.LogCaptureFixture
) -> None:
    kept, port = box
    mail = Mail(f"smtp://127.0.0.1:{port}", "platform@example.org", ["a@example.org"])
    places = [Log(logging.getLogger("alerts")), Webhook(hook.url), mail]
    raise_alert(warehouse, DRIFTED, AT, None)
    raise_alert(warehouse, FAILED, AT, RUN_ID)
    assert deliver(warehouse, places, UI) == (6, [])
    assert deliver(warehouse, places, UI) == (0, [])
    raise_alert(warehouse, FAILED, AT + timedelta(hours=1), RUN_ID)  # seen again is nothing new
    assert deliver(warehouse, places, UI) == (0, [])
    assert texts(hook) == [
        "*error: run collect and 1 more*\n"
        f"error: run collect\nno network\nWhat to do: check the network\n{UI}/runs/{RUN_ID}\n\n"
        f"warning: drift features.video_day\nage_days moved\n{UI}/assets/ops/drift"
    ]
    assert b"What to do: check the network" in kept.received[0].content
    assert caplog.text.count("What to do: check the network") == 1


def test_what_gets_worse_and_what_is_over_is_told(warehouse: Warehouse, hook: Hook) -> None:
    worse = Alert(DRIFT, DRIFTED.subject, ERROR, "everything moved")
    for alert in (DRIFTED, worse, DRIFTED, worse):  # less bad, and as bad as before, is nothing new
        raise_alert(warehouse, alert, AT, None)
        deliver(warehouse, [Webhook(hook.url)], UI)
    assert [text.split(":")[0] for text in texts(hook)] == ["*warning", "*error"]
    resolve_alert(warehouse, DRIFT, DRIFTED.subject, AT + timedelta(hours=2))
    for _ in range(2):
        deliver(warehouse, [Webhook(hook.url)], UI)
    assert texts(hook)[2:] == [
        "*resolved: drift features.video_day*\nresolved: drift features.video_day\neverything moved\n"
        "over at 2026-09-01 08:00 UTC\nseen 4 times since 2026-09-01 06:00 UTC"
    ]
    raise_alert(warehouse, DRIFTED, AT + timedelta(hours=3), None)
    assert deliver(warehouse, [Webhook(hook.url)], UI) == (1, [])


def test_a_channel_that_is_down_is_tried_again_and_keeps_no_other_waiting(
    warehouse: Warehouse, hook: Hook, box: tuple[Box, int]
) -> None:
    kept, port = box
    mail = Mail(f"smtp://127.0.0.1:{port}", "platform@example.org", ["a@example.org"])
    raise_alert(warehouse, FAILED, AT, RUN_ID)
    hook.status = 503
    told, faults = deliver(warehouse, [Webhook(hook.url), mail], UI)
    assert (told, len(kept.received)) == (1, 1)
    assert "503" in faults[0]
    hook.status = 200
    assert deliver(warehouse, [Webhook(hook.url), mail], UI) == (1, [])
    assert len(kept.received) == 1


def test_what_was_over_before_it_could_be_told_is_not(warehouse: Warehouse, hook: Hook) -> None:
    raise_alert(warehouse, FAILED, AT, RUN_ID)
    resolve_alert(warehouse, RUN, "collect", AT)
    assert deliver(warehouse, [Webhook(hook.url)], UI) == (0, [])


class KilledError(Exception):
    """Stands for the end of the process."""


class KilledAfterDelivery(Webhook):
    def deliver(self, message: Message) -> None:
        super().deliver(message)
        raise KilledError


def test_a_crash_after_the_message_tells_twice_and_never_not_at_all(warehouse: Warehouse, hook: Hook) -> None:
    raise_alert(warehouse, FAILED, AT, RUN_ID)
    with pytest.raises(KilledError):
        deliver(warehouse, [KilledAfterDelivery(hook.url)], UI)
    assert deliver(warehouse, [Webhook(hook.url)], UI) == (1, [])
    assert len(hook.received) == 2
    assert hook.received[0] == hook.received[1]


def test_a_flood_goes_out_in_messages_of_some_alerts(warehouse: Warehouse, hook: Hook) -> None:
    for number in range(AT_ONCE + 1):
        raise_alert(warehouse, Alert(RUN, f"job_{number}", ERROR, "x" * 2_000), AT, RUN_ID)
    told = [deliver(warehouse, [Webhook(hook.url)], UI)[0] for _ in range(3)]
    assert told == [AT_ONCE, 1, 0]
    assert all(len(text) < 40_000 for text in texts(hook))  # what Slack takes
