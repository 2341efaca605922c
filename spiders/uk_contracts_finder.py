"""Contracts Finder (England). What is particular about it stands in its card: 403 when busy, ISO-8859-1 pages."""

from spiders.platforms.ocds_links import OcdsLinksSpider


class UkContractsFinder(OcdsLinksSpider):
    """GET /Published/Notices/OCDS/Search?publishedFrom=…&publishedTo=…&limit=100, pages linked by a cursor."""

    name = "uk_contracts_finder"
