"""What to do about what was found: a table of rules, each with an id, its evidence and at most one action.

Three promises hold for every observation:

- `clear` is never recommended while a copy exists or may exist.
- Nobody is told to reconnect while WhatsApp or another program stands in the way.
- An action is recommended only where it can help now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.health import Recommendation
from shared.contracts.sessions import State

from .case import Case
from .causes import Cause
from .finding import CheckCode, Finding, Problem
from .levels import Level
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
    def damaged(self) -> bool:
        return self.bad(CheckCode.FILES) or self.has(Problem.DAMAGED_PROFILE)

    @property
    def blocked(self) -> bool:
        """Whether something stands in the way that only a person can remove: starting again cannot help."""
        return self.case.cause is not None

    @property
    def restoring(self) -> bool:
        return self.case.should_run and self.case.state is State.RESTORING


@dataclass(frozen=True)
class Rule:
    id: str
    codes: tuple[CheckCode, ...]
    """Checks whose value is the evidence: the first of them that is bad."""
    action: Action | None
    """None: a person must act, or only wait."""
    text: LocalizedText
    applies: Callable[[CaseFindings], bool]


def _caused_by(cause: Cause) -> Callable[[CaseFindings], bool]:
    return lambda found: found.case.should_run and found.case.cause is cause


def _worth_initializing(found: CaseFindings) -> bool:
    if found.blocked or found.damaged or found.has(Problem.NO_WORKER, Problem.TWO_OWNERS):
        return False
    if not found.case.should_run:
        return found.has(Problem.NEVER_STARTED, Problem.STOPPED, Problem.CLEARED)
    return found.findings[CheckCode.CONNECTION].level is Level.CRITICAL and found.case.state not in (
        State.CONFLICT,
        State.LOGGED_OUT,
    )


def _worth_backing_up(found: CaseFindings) -> bool:
    usable = not found.bad(CheckCode.STORE) and found.case.state is State.CONNECTED and not found.damaged
    return found.case.should_run and found.bad(CheckCode.BACKUP) and usable


def _worth_checking(found: CaseFindings) -> bool:
    reachable = found.case.should_run and not found.blocked and not found.bad(CheckCode.WORKER)
    return reachable and (
        found.has(Problem.NOT_VALIDATED)
        or any(found.bad(code) for code in (CheckCode.PROBE, CheckCode.SAVE, CheckCode.STALE, CheckCode.RECONNECTS))
    )


_CONNECTION = (CheckCode.CONNECTION,)
_DAMAGE = (CheckCode.PROFILE, CheckCode.FILES)
_NEGLECT = (CheckCode.PROBE, CheckCode.SAVE, CheckCode.STALE, CheckCode.RECONNECTS, CheckCode.PROFILE)

_CAUSE_RULES: tuple[Rule, ...] = (
    Rule(
        "account-banned",
        _CONNECTION,
        None,
        LocalizedText(
            "Do not reconnect. Open WhatsApp on the phone and follow its instructions about the ban.",
            "لا تُعد الاتصال. افتح واتساب على الهاتف واتبع تعليماته بشأن الحظر.",
        ),
        _caused_by(Cause.BANNED),
    ),
    Rule(
        "accept-terms",
        _CONNECTION,
        None,
        LocalizedText(
            "Open WhatsApp on the phone and accept the terms of service. Do not reconnect before that.",
            "افتح واتساب على الهاتف واقبل شروط الخدمة. لا تُعد الاتصال قبل ذلك.",
        ),
        _caused_by(Cause.TERMS),
    ),
    Rule(
        "update-page",
        _CONNECTION,
        None,
        LocalizedText(
            "Update Persistent Session: WhatsApp no longer serves this version of its page. The login is kept.",
            "حدّث نظام الجلسة الدائمة: لم يعد واتساب يدعم هذا الإصدار من صفحته. يبقى تسجيل الدخول محفوظًا.",
        ),
        _caused_by(Cause.PAGE_OUTDATED),
    ),
    Rule(
        "change-network",
        _CONNECTION,
        None,
        LocalizedText(
            "Run the worker on another network or without a proxy. The login is kept.",
            "انقل المشغّل إلى شبكة أخرى أو شغّله دون خادم وكيل. يبقى تسجيل الدخول محفوظًا.",
        ),
        _caused_by(Cause.NETWORK),
    ),
    Rule(
        "answer-dialog",
        _CONNECTION,
        None,
        LocalizedText(
            "Answer the dialog that WhatsApp shows, on the phone or in WhatsApp Web.",
            "استجب للنافذة التي يعرضها واتساب، على الهاتف أو في واتساب ويب.",
        ),
        _caused_by(Cause.DIALOG),
    ),
    Rule(
        "stop-other-program",
        _CONNECTION,
        None,
        LocalizedText(
            "Stop the other program that uses this profile. An old and a new system must never run one session "
            "together.",
            "أوقف البرنامج الآخر الذي يستخدم ملف الجلسة. يجب ألا يشغّل نظام قديم ونظام جديد جلسة واحدة معًا.",
        ),
        _caused_by(Cause.PROFILE_IN_USE),
    ),
    Rule(
        "update-browser",
        _CONNECTION,
        None,
        LocalizedText(
            "Update the browser on this machine, then initialize the session. The copies are kept.",
            "حدّث المتصفح على هذا الجهاز، ثم هيّئ الجلسة. تبقى النسخ محفوظة.",
        ),
        _caused_by(Cause.BROWSER_OUTDATED),
    ),
)

_SYSTEM_RULES: tuple[Rule, ...] = (
    Rule(
        "one-owner",
        (CheckCode.OWNERS,),
        None,
        LocalizedText(
            "Stop every other system that uses this session. Two systems at once can lose its login.",
            "أوقف كل نظام آخر يستخدم هذه الجلسة. تشغيل نظامين معًا قد يُفقدها تسجيل الدخول.",
        ),
        lambda found: found.bad(CheckCode.OWNERS),
    ),
    Rule(
        "mend-bus",
        (CheckCode.NATS,),
        None,
        LocalizedText(
            "Check the NATS server. Everything continues automatically when NATS is back.",
            "افحص خادم NATS. يستمر كل شيء تلقائيًا عند عودته.",
        ),
        lambda found: found.bad(CheckCode.NATS),
    ),
    Rule(
        "mend-worker",
        (CheckCode.WORKER,),
        None,
        LocalizedText(
            "Start or add a browser worker, and read its log.", "ابدأ تشغيل مشغّل متصفح أو أضف آخر، وراجع سجله."
        ),
        lambda found: found.bad(CheckCode.WORKER),
    ),
    Rule(
        "mend-store",
        (CheckCode.STORE,),
        None,
        LocalizedText(
            "Check the backup service, the address of its S3 storage and the keys.",
            "افحص خدمة النسخ الاحتياطي وعنوان مخزن S3 ومفاتيحه.",
        ),
        lambda found: found.bad(CheckCode.STORE),
    ),
)

_SESSION_RULES: tuple[Rule, ...] = (
    Rule(
        "scan-qr",
        _CONNECTION,
        None,
        LocalizedText(
            "Scan the QR code with the phone: WhatsApp, Linked devices, Link a device.",
            "امسح رمز QR بالهاتف: واتساب، الأجهزة المرتبطة، ربط جهاز.",
        ),
        lambda found: found.case.should_run and found.case.state is State.PAIRING,
    ),
    Rule(
        "link-again",
        _CONNECTION,
        Action.INITIALIZE,
        LocalizedText(
            "Link the phone again: initialize the session, then scan the QR code. A revoked login cannot be restored.",
            "اربط الهاتف من جديد: هيّئ الجلسة ثم امسح رمز QR. لا يمكن استعادة تسجيل دخول أُلغي.",
        ),
        lambda found: found.case.should_run and found.case.state is State.LOGGED_OUT and not found.blocked,
    ),
    Rule(
        "close-elsewhere",
        _CONNECTION,
        Action.INITIALIZE,
        LocalizedText(
            "Close WhatsApp Web wherever else it is open with this login, then initialize the session.",
            "أغلق واتساب ويب حيثما كان مفتوحًا بتسجيل الدخول هذا، ثم هيّئ الجلسة.",
        ),
        lambda found: found.case.should_run and found.case.state is State.CONFLICT,
    ),
    Rule(
        "wait-restore",
        _CONNECTION,
        None,
        LocalizedText(
            "Wait: the system is restoring the session from the newest good copy. Do not clear the session.",
            "انتظر: يستعيد النظام الجلسة من أحدث نسخة سليمة. لا تحذف الجلسة.",
        ),
        lambda found: found.restoring,
    ),
    Rule(
        "restore-backup",
        _DAMAGE,
        Action.RESTORE,
        LocalizedText(
            "The profile is damaged and backups exist: restore the newest backup. Do not clear the session.",
            "ملف الجلسة تالف وتوجد نسخ احتياطية: استعد أحدثها. لا تحذف الجلسة.",
        ),
        lambda found: found.damaged and found.case.has_backup and not found.blocked and not found.restoring,
    ),
    Rule(
        "restart-from-save",
        _DAMAGE,
        Action.INITIALIZE,
        LocalizedText(
            "The profile is damaged and a local save exists: initialize the session to restore it. Do not clear the "
            "session.",
            "ملف الجلسة تالف ويوجد حفظ محلي: هيّئ الجلسة لاستعادته. لا تحذف الجلسة.",
        ),
        lambda found: (
            found.damaged
            and found.case.has_save
            and not found.case.has_backup
            and not found.blocked
            and not found.restoring
        ),
    ),
    Rule(
        "find-copies",
        _DAMAGE,
        None,
        LocalizedText(
            "The profile is damaged, and whether backups exist is not known. Wait until the backup service answers.",
            "ملف الجلسة تالف، ولا يُعرف هل توجد نسخ احتياطية. انتظر حتى تستجيب خدمة النسخ الاحتياطي.",
        ),
        lambda found: (
            found.damaged
            and not found.case.has_save
            and not found.case.has_backup
            and not found.case.known_to_have_no_copy
        ),
    ),
    Rule(
        "clear-damaged",
        _DAMAGE,
        Action.CLEAR,
        LocalizedText(
            "The profile is damaged and no copy of it exists: clear the session and link the phone again.",
            "ملف الجلسة تالف ولا توجد أي نسخة منه: احذف الجلسة واربط الهاتف من جديد.",
        ),
        lambda found: found.damaged and found.case.known_to_have_no_copy and not found.blocked and not found.restoring,
    ),
    Rule(
        "initialize",
        _CONNECTION,
        Action.INITIALIZE,
        LocalizedText("Initialize the session.", "هيّئ الجلسة."),
        _worth_initializing,
    ),
    Rule(
        "health-check",
        _NEGLECT,
        Action.HEALTH_CHECK,
        LocalizedText(
            "Run a health check: it probes the page, validates the profile, and makes a save and a backup.",
            "شغّل فحص الصحة: يفحص الصفحة ويتحقق من ملف الجلسة وينشئ حفظًا محليًا ونسخة احتياطية.",
        ),
        _worth_checking,
    ),
    Rule(
        "back-up",
        (CheckCode.BACKUP,),
        Action.BACK_UP,
        LocalizedText("Make a new backup now.", "أنشئ نسخة احتياطية جديدة الآن."),
        _worth_backing_up,
    ),
)

_RESOURCE_RULES: tuple[Rule, ...] = (
    Rule(
        "shrink-profile",
        (CheckCode.SIZE,),
        None,
        LocalizedText(
            "Delete old chats on the phone or raise MAX_SESSION_SIZE_MB. Caches are trimmed automatically.",
            "احذف المحادثات القديمة من الهاتف أو ارفع MAX_SESSION_SIZE_MB. تُقلَّص الملفات المؤقتة تلقائيًا.",
        ),
        lambda found: found.bad(CheckCode.SIZE),
    ),
    Rule(
        "more-memory",
        (CheckCode.MEMORY,),
        None,
        LocalizedText("Give the worker more memory or fewer sessions.", "امنح المشغّل ذاكرة أكبر أو جلسات أقل."),
        lambda found: found.bad(CheckCode.MEMORY),
    ),
    Rule(
        "more-disk",
        (CheckCode.DISK,),
        None,
        LocalizedText("Free up space on the worker's disk or enlarge it.", "أفرغ مساحة في قرص المشغّل أو كبّره."),
        lambda found: found.bad(CheckCode.DISK),
    ),
    Rule(
        "update-driver",
        (CheckCode.SELFCHECK,),
        None,
        LocalizedText(
            "Update Persistent Session: WhatsApp has changed its page. The login is kept; do not clear the session.",
            "حدّث نظام الجلسة الدائمة: غيّر واتساب صفحته. يبقى تسجيل الدخول محفوظًا، فلا تحذف الجلسة.",
        ),
        lambda found: found.bad(CheckCode.SELFCHECK),
    ),
)

RULES: tuple[Rule, ...] = (*_CAUSE_RULES, *_SYSTEM_RULES, *_SESSION_RULES, *_RESOURCE_RULES)
"""The most urgent first."""


def recommend(found: CaseFindings) -> tuple[Recommendation, ...]:
    """All rules that apply, in the order of the table. Without the bus no action can be carried out, so rules with an
    action do not apply."""
    return tuple(
        _recommendation(rule, found)
        for rule in RULES
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
    said = f"{code}: {finding.value}" if finding.value else code.value
    return safe_text(f"{said} (limit {finding.limit})" if finding.limit else said)
