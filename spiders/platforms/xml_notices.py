"""Portals that are searched and give each find's own record as a notice in XML."""

from scrapy import Request
from scrapy.http import Response

from pipeline.outcome import Page, judge_xml
from spiders.platforms.base import PAGE_PRIORITY, content_type_of
from spiders.platforms.search import Hit, SearchSpider


class XmlNoticesSpider(SearchSpider):
    """A SearchSpider whose answers are JSON and whose records are XML."""

    def detail_request(self, hit: Hit) -> Request:
        assert hit.url is not None
        return self.ask(
            hit.url,
            self.parse_detail,
            errback=self.detail_failed,
            accept="application/xml",
            priority=PAGE_PRIORITY - 1,
            cb_kwargs={"hit": hit},
        )

    def judge_detail(self, response: Response) -> Page:
        return judge_xml(response.status, content_type_of(response), response.body)
