"""Deterministic ids: the same thing has the same id on every machine and in every run."""

import hashlib

_SEPARATOR = "\x1f"


def _digest(prefix: str, *parts: str) -> str:
    body = _SEPARATOR.join(parts).encode("utf-8")
    return f"{prefix}-{hashlib.blake2b(body, digest_size=10).hexdigest()}"


def contract_id(namespace: str, process_id: str) -> str:
    """Id of a contracting process: the publisher's namespace and its own process id, never content or time."""
    return _digest("c", namespace, process_id)


def release_id(source_id: str, content_sha256: str) -> str:
    """Id of what one source said once: the source and the SHA-256 of the record's canonical bytes."""
    return _digest("r", source_id, content_sha256)


def evidence_id(payload_sha256: str, pointer: str) -> str:
    """Id of a place in archived bytes."""
    return _digest("e", payload_sha256, pointer)


def child_id(contract: str, kind: str, native_id: str) -> str:
    """Id of an award or contract within its contracting process."""
    return _digest("k", contract, kind, native_id)


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
