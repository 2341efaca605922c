"""Scrapy settings of one crawl, made from the source's card."""

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from models.source import SourceCard
from pipeline.errors import WrongUse

CONTACT = "UNVEIL_CONTACT"
_MAX_PAGE_BYTES = 200_000_000


def user_agent(contact: str | None = None) -> str:
    """The name we crawl under: `Unveil/<version> (+<contact>)`."""
    try:
        number = version("unveil")
    except PackageNotFoundError:
        number = "0"
    return f"Unveil/{number} (+{contact})" if contact else f"Unveil/{number}"


def contact_or_refuse() -> str:
    """The address publishers can write to, from UNVEIL_CONTACT. Raises WrongUse when there is none."""
    contact = os.environ.get(CONTACT, "").strip()
    if not contact or any(ord(c) < 32 or ord(c) > 126 or c in "()" for c in contact):
        raise WrongUse(
            f"A crawl tells portals whom to write to: set {CONTACT} to an e-mail address or a web page of yours, "
            f"for example `export {CONTACT}=mailto:you@example.org`. A replay needs none."
        )
    return contact


def build_settings(card: SourceCard, *, offline: bool) -> dict[str, Any]:
    """Settings for a live crawl, or for one that answers from the archive. Raises WrongUse without a contact."""
    settings: dict[str, Any] = {
        "USER_AGENT": user_agent(None if offline else contact_or_refuse()),
        "DEFAULT_REQUEST_HEADERS": {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"},
        "CONCURRENT_REQUESTS": card.politeness.concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": card.politeness.concurrency,
        "DOWNLOAD_DELAY": 0.0 if offline else card.politeness.delay,
        # The card's delay is a promise, not an average.
        "DOWNLOAD_DELAY_JITTER": 0.0,
        "DOWNLOAD_TIMEOUT": card.politeness.timeout,
        "DOWNLOAD_MAXSIZE": _MAX_PAGE_BYTES,
        "DOWNLOAD_WARNSIZE": 0,
        "AUTOTHROTTLE_ENABLED": False,
        "HTTPCACHE_ENABLED": False,
        "COOKIES_ENABLED": False,
        # No port is opened: a crawl is told to stop by a signal.
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        # A proxy would resolve names where the address guard cannot see it.
        "HTTPPROXY_ENABLED": False,
        # The archive keeps unpacked payloads, so its middleware unpacks them.
        "COMPRESSION_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        "REDIRECT_MAX_TIMES": 5,
        "REFERRER_POLICY": "no-referrer",
        # Both are replaced by our own, which go through the archive and wait as asked.
        "RETRY_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "HTTPERROR_ALLOW_ALL": True,
        "LOG_LEVEL": "INFO",
        "DOWNLOADER_MIDDLEWARES": {
            "spiders.robots.RobotsMiddleware": 100,
            "spiders.patience.Patience": 550,
            "spiders.archive_middleware.ArchiveMiddleware": 990,
            "spiders.address_guard.AddressGuard": 995,
        },
        "DOWNLOAD_HANDLERS": {"data": None, "file": None, "ftp": None, "s3": None},
    }
    if offline:
        settings["DOWNLOAD_HANDLERS"] |= {
            "http": "spiders.replay.ReplayHandler",
            "https": "spiders.replay.ReplayHandler",
        }
    else:
        settings["DOWNLOAD_HANDLERS"] |= {"http": "spiders.spool.SpoolHandler", "https": "spiders.spool.SpoolHandler"}
    if not offline and not card.private_addresses:
        settings["DNS_RESOLVER"] = "spiders.address_guard.GuardedResolver"
    return settings
