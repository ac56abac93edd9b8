"""Every reason of the worker has its words on the page, in both languages."""

from __future__ import annotations

from browser_worker.domain.details import DETAILS
from gateway.domain import texts


def test_the_page_has_words_for_every_reason_of_the_worker() -> None:
    assert {f"reason.{reason}" for reason in DETAILS} <= set(texts.of("ar"))
