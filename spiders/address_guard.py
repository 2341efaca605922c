"""Keeps requests, redirects and DNS answers from leading into the network the crawler itself stands in."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.resolver import CachingThreadedResolver
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError

from spiders.failures import BlockedAddress

# Prefixes whose IPv6 addresses hold an IPv4 address to which a gateway passes on (RFC 6052, RFC 3056).
_EMBEDDING = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("2002::/16"))


def is_public(address: str) -> bool:
    """True for a globally reachable unicast address; false for loopback, private, link-local, reserved ones."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return _global(ip.ipv4_mapped)
        if ip.sixtofour is not None or ip.teredo is not None or any(ip in net for net in _EMBEDDING):
            return False
    return _global(ip)


def _global(ip: IPv4Address | IPv6Address) -> bool:
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def literal_address(host: str) -> str | None:
    """The host when it is an IP address itself, without a zone; None for a name."""
    try:
        return str(ip_address(host.split("%", 1)[0]))
    except ValueError:
        return None


class RefusedAddress(DNSLookupError):
    """A name was resolved to an address that is not public."""


class GuardedResolver(CachingThreadedResolver):
    """Scrapy's caching resolver (IPv4) that refuses names with a private address, cached answers included."""

    def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
        return super().getHostByName(name, timeout).addCallback(_checked, name)


def _checked(address: str, name: str) -> str:
    if not is_public(address):
        raise RefusedAddress(f"{name} resolves to {address}, which is not a public address")
    return address


class AddressGuard:
    """Order 995: the last look before the network, so that redirects pass it too.

    Names are resolved here first, for an error with a name; the resolver installed in the reactor refuses them
    again, from the same cache, when the connection is made. A replay resolves nothing.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._private = crawler.spider.context.card.private_addresses
        self._offline = crawler.spider.context.offline

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "AddressGuard":
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BlockedAddress(f"{request.url} is neither http nor https")
        if self._private:
            return
        literal = literal_address(parts.hostname)
        if literal is not None:
            if not is_public(literal):
                raise BlockedAddress(f"{request.url} leads to {literal}, which is not a public address")
        elif not self._offline:
            await _resolve(parts.hostname)


async def _resolve(host: str) -> None:
    from twisted.internet import reactor

    try:
        await maybe_deferred_to_future(reactor.resolver.getHostByName(host))
    except RefusedAddress as error:
        raise BlockedAddress(str(error)) from error
    except DNSLookupError:
        # An unknown name is the downloader's to report, in its own words.
        return
