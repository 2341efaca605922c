"""How portals speak: Scrapy spiders, one platform class a portal family. Imports models and pipeline."""
