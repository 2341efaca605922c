"""Portals' answers in their real shapes, with fictional content: one module a source, used by `tests/test_sources.py`."""
