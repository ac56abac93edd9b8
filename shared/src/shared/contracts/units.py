"""Units of size. The settings in MB, the REST answers and the page mean the same megabyte."""

from __future__ import annotations

MEGABYTE = 2**20
"""Bytes of one MB in `MAX_SESSION_SIZE_MB` and in every size that is shown, as in the old clients' answers."""
