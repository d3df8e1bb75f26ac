"""What the commands about accounts of owners do, step by step; files and Google are `io`'s."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from yt_platform.local import Platform, open_platform
from yt_platform.settings import Settings
from yt_platform.youtube.accounts.authorization import (
    Listed,
    add,
    check,
    consented,
    enter_dead,
    listed,
    partner,
    remove,
    scopes,
)
from yt_platform.youtube.accounts.credentials import Accounts, AuthorizationError
from yt_platform.youtube.analytics_api.client import query
from yt_platform.youtube.analytics_api.queries import RetentionPoint, retention_curve, retention_query
from yt_platform.youtube.data_api.ledger import QuotaLedger


def add_owner(
    settings: Settings,
    name: str,
    client_secrets: Path,
    monetary: bool,
    open_browser: bool,
    port: int,
    out: Console,
) -> None:
    accounts = Accounts(settings.home)
    accounts.path(name)  # a name that cannot be one is known before anybody is asked for consent
    with open_platform(settings) as platform, _charging(platform) as charge:
        at = platform.clock.now()
        given = consented(name, client_secrets, scopes(monetary), at, open_browser=open_browser, port=port)
        stored = add(platform.warehouse, accounts, name, given, settings.api_endpoint, charge)
    out.print(f"{name} is authorised for channel {stored.channel_id}")


def add_partner(settings: Settings, name: str, key: Path, content_owner: str, monetary: bool, out: Console) -> None:
    with open_platform(settings) as platform, _charging(platform) as charge:
        given = partner(key, content_owner, scopes(monetary), platform.clock.now())
        add(platform.warehouse, Accounts(settings.home), name, given, settings.api_endpoint, charge)
    out.print(f"{name} is authorised for content owner {content_owner}")


def listed_accounts(settings: Settings) -> list[Listed]:
    with open_platform(settings) as platform:
        return listed(platform.warehouse)


def check_named(settings: Settings, name: str | None, out: Console) -> bool:
    """Whether one of them may no longer be used."""
    accounts = Accounts(settings.home)
    names = [name] if name else accounts.names()
    refused = False
    with open_platform(settings) as platform, _charging(platform) as charge:
        at = platform.clock.now()
        for each in names:
            error = check(platform.warehouse, accounts, each, settings.api_endpoint, charge, at)
            out.print(str(error) if error else f"{each} is authorised", soft_wrap=True)
            refused = refused or error is not None
    return refused


def remove_named(settings: Settings, name: str, out: Console) -> None:
    with open_platform(settings) as platform:
        revoked = remove(platform.warehouse, Accounts(settings.home), name)
    by_hand = (
        "Google was not told: end it at https://myaccount.google.com/permissions, or delete the key in its console"
    )
    out.print(
        f"{name} is removed; {'Google was told' if revoked else by_hand}. What it brought goes with the next deletion "
        "of retention, by 00:10 UTC, unless an account of this name is added before",
        soft_wrap=True,
    )


def video_retention(settings: Settings, account: str, video_id: str, days: int) -> list[RetentionPoint]:
    """The curve over the last days; an account that is refused is entered as such. Raises like `io.analytics.query`."""
    with open_platform(settings) as platform:
        opened, now = Accounts(settings.home).open(account), platform.clock.now()
        asked = retention_query(video_id, (now - timedelta(days=days)).date(), now.date())
        try:
            return retention_curve(query(opened, asked, settings.api_endpoint))
        except AuthorizationError as error:
            enter_dead(platform.warehouse, error, now)
            raise


@contextmanager
def _charging(platform: Platform) -> Iterator[Callable[[str], None]]:
    """Calls of the Data API cost the same quota whoever makes them."""
    allowed = platform.settings.allowed_units
    with QuotaLedger(platform.urls.warehouse, allowed, platform.clock.ticking()) as ledger:
        yield ledger.charge
