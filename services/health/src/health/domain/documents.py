"""docs/health-checks.md, written from the tables, so that it cannot say anything else."""

from __future__ import annotations

from .checks import CHECKS, RULES
from .thresholds import Thresholds

_NOTE = "<!-- Written by `make docs` from health/domain/checks. -->"


def checks_document() -> str:
    limits = Thresholds()
    lines = [
        "# Health checks",
        "",
        _NOTE,
        "",
        "Each check is `healthy`, `warning`, `critical` or `unknown`. Unknown means that nothing is known to judge by; "
        "it is never an alarm. The overall verdict is the worst of all checks. The limits below are the defaults; "
        "those that follow a setting change with it. A session that is not meant to run is at most a warning, except "
        "for two owners and a lost bus.",
        "",
        "| code | check | limits | what to do | الفحص | ما العمل |",
        "|---|---|---|---|---|---|",
        *(
            f"| {c.code} | **{c.title.en}.** {c.meaning.en} | {c.limits(limits)} | {c.remedy.en} "
            f"| **{c.title.ar}.** {c.meaning.ar} | {c.remedy.ar} |"
            for c in CHECKS
        ),
        "",
        "## Recommendations",
        "",
        "`clear` is recommended only if the profile is damaged and it is known that no save and no backup exists. "
        "Nobody is told to reconnect while WhatsApp or another program stands in the way. An id and its action are "
        "stable.",
        "",
        "| id | action | text | النص |",
        "|---|---|---|---|",
        *(f"| {r.id} | {f'`{r.action}`' if r.action else '–'} | {r.text.en} | {r.text.ar} |" for r in RULES),
        "",
    ]
    return "\n".join(lines)
