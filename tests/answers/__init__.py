"""Portals' answers in their real shapes, with fictional content: one module a source, for `tests/test_sources.py`."""
