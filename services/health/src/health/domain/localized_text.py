"""Texts in English and Arabic, and figures as people say them. Knows no check.

The trap: texts from other services (reasons, errors, names) may hold anything, even a phone number. They pass through
`safe_text` before anybody reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.contracts.units import MEGABYTE


@dataclass(frozen=True)
class LocalizedText:
    """One text in both languages. Both hold the same placeholders in braces."""

    en: str
    ar: str

    def fill(self, **values: LocalizedText | str | int) -> LocalizedText:
        return LocalizedText(
            self.en.format(**{name: _in(value, "en") for name, value in values.items()}),
            self.ar.format(**{name: _in(value, "ar") for name, value in values.items()}),
        )


def _in(value: LocalizedText | str | int, language: str) -> str:
    return str(getattr(value, language)) if isinstance(value, LocalizedText) else str(value)


NUMBER_LIKE = re.compile(r"\+?\d(?:[\s().\-]{0,3}\d){5,}")
"""Six digits or more, with the marks that people put between them: perhaps a phone number."""
MAX_SAFE_TEXT = 80
"""Characters."""


def safe_text(text: str) -> str:
    """A text of another service, made safe to show: one short line without anything like a phone number."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    # shortened last: a number that is cut may no longer look like one
    return NUMBER_LIKE.sub("…", line)[:MAX_SAFE_TEXT]


def megabytes(size_bytes: float) -> LocalizedText:
    """A size in whole megabytes."""
    figure = round(size_bytes / MEGABYTE)
    return LocalizedText(f"{figure} MB", f"{figure} ميغابايت")


_UNITS: tuple[tuple[int, str, str, str, str, str], ...] = (
    (86400, "d", "يوم واحد", "يومين", "أيام", "يومًا"),
    (3600, "h", "ساعة واحدة", "ساعتين", "ساعات", "ساعة"),
    (60, "min", "دقيقة واحدة", "دقيقتين", "دقائق", "دقيقة"),
    (1, "s", "ثانية واحدة", "ثانيتين", "ثوانٍ", "ثانية"),
)


def duration(seconds: float) -> LocalizedText:
    """A duration in the largest unit that fits at least twice: 90 s, 5 min, 3 h, 2 d."""
    whole = max(0, round(seconds))
    for length, unit, one, two, few, many in _UNITS:
        count = whole // length
        if count >= 2 or length == 1:
            return LocalizedText(f"{count} {unit}", _arabic_count(count, one, two, few, many))
    raise AssertionError("the last unit always fits")


def _arabic_count(count: int, one: str, two: str, few: str, many: str) -> str:
    if count == 1:
        return one
    if count == 2:
        return two
    return f"{count} {few if 3 <= count % 100 <= 10 else many}"
