"""The keys of the bucket as `docs/snapshot-format.md` documents them: the only file of the tests that spells them."""

_SESSION = r"sessions/[a-z0-9-]+"
_STAMP = r"\d{8}T\d{6}Z-[0-9a-f]{8}"
_BACKUP = r"\d{10}-\d{8}-\d{8}T\d{9}Z"

DOCUMENTED_KEYS = (
    rf"{_SESSION}/head\.json",
    rf"{_SESSION}/tombstone\.json",
    rf"{_SESSION}/keys/{_STAMP}",
    rf"{_SESSION}/{_STAMP}/packs/[0-9a-f]{{64}}",
    rf"{_SESSION}/{_STAMP}/manifests/{_BACKUP}",
    rf"{_SESSION}/{_STAMP}/proofs/{_BACKUP}\.(scrubbed|drilled)",
    rf"{_SESSION}/{_STAMP}/damaged",
)
"""Patterns for a whole key."""
