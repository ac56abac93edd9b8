"""What to do about what was found: what a rule is, and which rules apply.

Each rule has an id, its evidence and at most one action. The rules stand in `checks/`, beside the checks that are their
evidence. Three promises hold for every observation:

- `clear` is never recommended while a copy exists or may exist.
- Nobody is told to reconnect while WhatsApp or another program stands in the way.
- An action is recommended only where it can help now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum, auto

from shared.contracts.health import Recommendation
from shared.contracts.sessions import State

from .case import Case
from .finding import CheckCode, Finding, Problem
from .localized_text import LocalizedText, safe_text


class Action(StrEnum):
    """What the gateway can be asked to do, by the gateway's names."""

    INITIALIZE = "initialize"
    CLEAR = "clear"
    HEALTH_CHECK = "health-check"
    BACK_UP = "backup"
    RESTORE = "restore"


@dataclass(frozen=True)
class CaseFindings:
    """A case with what the checks found in it."""

    case: Case
    findings: Mapping[CheckCode, Finding]

    def bad(self, code: CheckCode) -> bool:
        return self.findings[code].level.bad

    def has(self, *problems: Problem) -> bool:
        """Whether one of these problems was found."""
        return any(finding.problem in problems for finding in self.findings.values())

    @property
    def blocked(self) -> bool:
        """Whether something stands in the way that only a person can remove: starting again cannot help."""
        return self.case.cause is not None

    @property
    def restoring(self) -> bool:
        return self.case.should_run and self.case.state is State.RESTORING


class Urgency(IntEnum):
    """Where a recommendation stands in a report: the most urgent first."""

    CAUSE = auto()
    """Something stands in the session's way that only a person can remove."""
    FOUNDATION = auto()
    """What every session stands on is missing or wrong."""
    LINK = auto()
    """The login: link the phone, end a conflict, wait for a restore."""
    DAMAGE = auto()
    """The profile cannot be started from."""
    UPKEEP = auto()
    """Starting, checking and backing up a session whose login is sound."""
    RESOURCE = auto()
    """Space or memory runs short."""
    UPDATE = auto()
    """A newer release is needed."""


@dataclass(frozen=True)
class Rule:
    """What to recommend, and when. Rules of the same urgency keep the order of their modules."""

    id: str
    urgency: Urgency
    codes: tuple[CheckCode, ...]
    """Checks whose value is the evidence: the first of them that is bad."""
    action: Action | None
    """None: a person must act, or only wait."""
    text: LocalizedText
    applies: Callable[[CaseFindings], bool]


def recommend(rules: Iterable[Rule], found: CaseFindings) -> tuple[Recommendation, ...]:
    """All rules that apply, in their order. Without the bus no action can be carried out: rules with an action do not
    apply."""
    return tuple(
        _recommendation(rule, found)
        for rule in rules
        if (rule.action is None or found.case.listening) and rule.applies(found)
    )


def _recommendation(rule: Rule, found: CaseFindings) -> Recommendation:
    return Recommendation(
        id=rule.id,
        text=rule.text.en,
        text_ar=rule.text.ar,
        action=rule.action.value if rule.action else "",
        evidence=_evidence(next((code for code in rule.codes if found.bad(code)), rule.codes[0]), found),
    )


def _evidence(code: CheckCode, found: CaseFindings) -> str:
    finding = found.findings[code]
    said = f"{code}: {finding.value}" if finding.value else code
    return safe_text(f"{said} (limit {finding.limit})" if finding.limit else said)
