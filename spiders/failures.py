"""Failures of requests by name, so that an archived failure is raised again as what it was."""

from types import MappingProxyType

from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)


class BlockedAddress(Exception):
    """The request leads to a loopback, private, link-local or reserved address, or is neither http nor https."""


class NotInArchive(Exception):
    """A replay asked for what the archive does not hold."""


class RobotsForbidden(IgnoreRequest):
    """robots.txt keeps this path from us."""


class RobotsUnreachable(IgnoreRequest):
    """robots.txt could not be had; RFC 9309, 2.3.1.4, has a crawler take that for a complete disallow."""


RETRIED: tuple[type[Exception], ...] = (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    OSError,
)
_KINDS = MappingProxyType(
    {
        BlockedAddress: "blocked_address",
        NotInArchive: "not_in_archive",
        RobotsForbidden: "robots_disallow",
        RobotsUnreachable: "robots_unreachable",
        DownloadTimeoutError: "timeout",
        DownloadCancelledError: "too_large",
        CannotResolveHostError: "no_such_host",
        DownloadConnectionRefusedError: "connection_refused",
        UnsupportedURLSchemeError: "blocked_address",
    }
)
_BY_NAME = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            BlockedAddress, CannotResolveHostError, DownloadCancelledError, DownloadConnectionRefusedError,
            DownloadFailedError, DownloadTimeoutError, ResponseDataLossError, UnsupportedURLSchemeError,
        )
    }
)  # fmt: skip


def kind_of(error: BaseException) -> str:
    """The problem kind of a failed request; `download_failed` for what has no name of its own."""
    if isinstance(error, IgnoreRequest) and type(error) is IgnoreRequest:
        return "too_many_redirects" if "redirections" in str(error) else "ignored"
    return next((kind for cls, kind in _KINDS.items() if isinstance(error, cls)), "download_failed")


def to_text(error: BaseException) -> str:
    """An error as it is archived: its class and what it said."""
    return f"{type(error).__name__}: {error}"


def from_text(text: str) -> Exception:
    """The archived error, to be raised again. Classes without a name of ours become DownloadFailedError."""
    name, _, said = text.partition(": ")
    kind = _BY_NAME.get(name)
    return kind(said) if kind else DownloadFailedError(text)
