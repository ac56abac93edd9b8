"""What to do about what was found: a table of rules, each with an id, its evidence and at most one action.

Three promises hold for every observation: `clear` is never recommended while a copy exists or may exist, nobody who
was banned or refused by WhatsApp is told to reconnect, and an action is recommended only where it can help now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.contracts.health import Recommendation
from shared.contracts.sessions import State

from .case import Case, Cause
from .finding import Finding
from .levels import Level
from .localized_text import LocalizedText, safe_text

INITIALIZE = "initialize"
CLEAR = "clear"
HEALTH_CHECK = "health-check"
BACKUP = "backup"
RESTORE = "restore"
NOTHING = ""
"""A person must act, or only wait."""


@dataclass(frozen=True)
class CaseFindings:
    """A case with what the checks found in it."""

    case: Case
    findings: Mapping[str, Finding]

    def bad(self, code: str, *keys: str) -> bool:
        """Whether this check found something wrong, of these kinds where kinds are given."""
        finding = self.findings[code]
        return finding.level.bad and (not keys or finding.key in keys)

    @property
    def damaged(self) -> bool:
        return self.bad("WA-FILES") or self.bad("WA-PROFILE", "damaged")

    @property
    def refused(self) -> bool:
        """WhatsApp or a person is in the way: starting again cannot help."""
        return self.case.cause is not Cause.NONE


@dataclass(frozen=True)
class Rule:
    """`code`: the check whose figure is the evidence."""

    id: str
    code: str
    action: str
    text: LocalizedText
    applies: Callable[[CaseFindings], bool]


def _blamed(cause: Cause) -> Callable[[CaseFindings], bool]:
    return lambda found: found.case.should_run and found.case.cause is cause


def _worth_initializing(found: CaseFindings) -> bool:
    if found.refused or found.damaged or found.bad("WA-WORKER", "none") or found.bad("WA-OWNERS", "two"):
        return False
    if not found.case.should_run:
        return found.bad("WA-CONNECTION", "never started", "stopped", "cleared")
    return found.findings["WA-CONNECTION"].level is Level.CRITICAL and found.case.state not in (
        State.CONFLICT,
        State.LOGGED_OUT,
    )


def _worth_backing_up(found: CaseFindings) -> bool:
    usable = not found.bad("WA-STORE") and found.case.state is State.CONNECTED and not found.damaged
    return found.case.should_run and found.bad("WA-BACKUP") and usable


def _worth_checking(found: CaseFindings) -> bool:
    live = found.case.should_run and not found.refused and not found.bad("WA-WORKER")
    return live and (
        found.bad("WA-PROBE")
        or found.bad("WA-SAVE")
        or found.bad("WA-STALE")
        or found.bad("WA-RECONNECTS")
        or found.bad("WA-PROFILE", "not-validated")
    )


def _restoring(found: CaseFindings) -> bool:
    return found.case.should_run and found.case.state is State.RESTORING


RULES: tuple[Rule, ...] = (
    Rule(
        "account-banned",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "Do not reconnect. Open WhatsApp on the phone and follow what it says about the ban.",
            "لا تُعد الاتصال. افتح واتساب على الهاتف واتبع ما يقوله عن الحظر.",
        ),
        _blamed(Cause.BANNED),
    ),
    Rule(
        "accept-terms",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "Open WhatsApp on the phone and accept the terms of service; do not reconnect before.",
            "افتح واتساب على الهاتف واقبل شروط الخدمة؛ لا تُعد الاتصال قبل ذلك.",
        ),
        _blamed(Cause.TERMS),
    ),
    Rule(
        "update-page",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "Update Persistent Session: WhatsApp no longer serves this page. The login is kept.",
            "حدّث النظام: لم يعد واتساب يدعم هذه الصفحة. يبقى تسجيل الدخول محفوظًا.",
        ),
        _blamed(Cause.DEPRECATED),
    ),
    Rule(
        "change-network",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "Run the worker from another network or without a proxy. The login is kept.",
            "شغّل العامل من شبكة أخرى أو دون وسيط. يبقى تسجيل الدخول محفوظًا.",
        ),
        _blamed(Cause.PROXY),
    ),
    Rule(
        "see-phone",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "Open WhatsApp on the phone: it says why it refuses (terms of service), or change the server's network.",
            "افتح واتساب على الهاتف ليظهر سبب الرفض (شروط الخدمة)، أو غيّر شبكة الخادم.",
        ),
        _blamed(Cause.BLOCKED),
    ),
    Rule(
        "answer-dialog",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "A person must answer the dialog that WhatsApp shows, on the phone or in WhatsApp Web.",
            "يجب أن يجيب شخص عن النافذة التي يعرضها واتساب، على الهاتف أو في واتساب ويب.",
        ),
        _blamed(Cause.DIALOG),
    ),
    Rule(
        "one-owner",
        "WA-OWNERS",
        NOTHING,
        LocalizedText(
            "Stop every other system that uses this session; two at once can lose it.",
            "أوقف كل نظام آخر يستخدم هذه الجلسة؛ تشغيل اثنين معًا قد يُفقدها.",
        ),
        lambda found: found.bad("WA-OWNERS"),
    ),
    Rule(
        "mend-bus",
        "WA-NATS",
        NOTHING,
        LocalizedText(
            "Look at the NATS server; everything goes on by itself when it is well.",
            "افحص خادم NATS؛ يستمر كل شيء تلقائيًا بعد إصلاحه.",
        ),
        lambda found: found.bad("WA-NATS"),
    ),
    Rule(
        "mend-worker",
        "WA-WORKER",
        NOTHING,
        LocalizedText("Start or add a browser worker, and look at its log.", "شغّل عامل متصفح أو أضف آخر، وراجع سجله."),
        lambda found: found.bad("WA-WORKER"),
    ),
    Rule(
        "mend-store",
        "WA-STORE",
        NOTHING,
        LocalizedText(
            "Check the backup service, the address of its S3 storage and its keys.",
            "افحص خدمة النسخ الاحتياطي وعنوان مخزن S3 ومفاتيحه.",
        ),
        lambda found: found.bad("WA-STORE"),
    ),
    Rule(
        "scan-qr",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "Scan the QR with the phone: WhatsApp, Linked devices, Link a device.",
            "امسح رمز QR بالهاتف: واتساب، الأجهزة المرتبطة، ربط جهاز.",
        ),
        lambda found: found.case.should_run and found.case.state is State.PAIRING,
    ),
    Rule(
        "link-again",
        "WA-CONNECTION",
        INITIALIZE,
        LocalizedText(
            "Link the phone again: initialize, then scan the QR. A revoked login cannot be restored.",
            "اربط الهاتف من جديد: هيّئ الجلسة ثم امسح رمز QR. لا يمكن استعادة تسجيل دخول أُلغي.",
        ),
        lambda found: found.case.should_run and found.case.state is State.LOGGED_OUT and not found.refused,
    ),
    Rule(
        "close-elsewhere",
        "WA-CONNECTION",
        INITIALIZE,
        LocalizedText(
            "Close WhatsApp Web where else it runs with this login, then initialize.",
            "أغلق واتساب ويب في المكان الآخر الذي يعمل فيه بهذا الدخول، ثم هيّئ الجلسة.",
        ),
        lambda found: found.case.should_run and found.case.state is State.CONFLICT,
    ),
    Rule(
        "wait-restore",
        "WA-CONNECTION",
        NOTHING,
        LocalizedText(
            "Wait: the system restores the session by itself from the newest good copy. Nothing is to be cleared.",
            "انتظر: يستعيد النظام الجلسة تلقائيًا من أحدث نسخة سليمة. لا تمسح شيئًا.",
        ),
        _restoring,
    ),
    Rule(
        "restore-backup",
        "WA-PROFILE",
        RESTORE,
        LocalizedText(
            "The profile is damaged and backups exist: restore the newest one. It is not to be cleared.",
            "ملف الجلسة تالف وتوجد نسخ احتياطية: استعد أحدثها. لا تمسح الجلسة.",
        ),
        lambda found: found.damaged and found.case.has_backup and not found.refused and not _restoring(found),
    ),
    Rule(
        "restart-from-save",
        "WA-PROFILE",
        INITIALIZE,
        LocalizedText(
            "The profile is damaged and a local save exists: initialize restores it. It is not to be cleared.",
            "ملف الجلسة تالف ويوجد حفظ محلي: التهيئة تستعيده. لا تمسح الجلسة.",
        ),
        lambda found: (
            found.damaged
            and found.case.has_save
            and not found.case.has_backup
            and not found.refused
            and not _restoring(found)
        ),
    ),
    Rule(
        "find-copies",
        "WA-PROFILE",
        NOTHING,
        LocalizedText(
            "The profile is damaged and whether backups exist is not known: let the backup service answer first.",
            "ملف الجلسة تالف ولا يُعرف هل توجد نسخ احتياطية: انتظر إجابة خدمة النسخ الاحتياطي أولًا.",
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
        "WA-PROFILE",
        CLEAR,
        LocalizedText(
            "The profile is damaged and no copy of it exists: clear the session and link the phone again.",
            "ملف الجلسة تالف ولا توجد أي نسخة منه: امسح الجلسة واربط الهاتف من جديد.",
        ),
        lambda found: (
            found.damaged and found.case.known_to_have_no_copy and not found.refused and not _restoring(found)
        ),
    ),
    Rule(
        "initialize",
        "WA-CONNECTION",
        INITIALIZE,
        LocalizedText("Initialize the session.", "هيّئ الجلسة."),
        _worth_initializing,
    ),
    Rule(
        "health-check",
        "WA-PROBE",
        HEALTH_CHECK,
        LocalizedText(
            "Run a health check: it probes the page, validates the profile, saves and backs up.",
            "شغّل فحص الصحة: يفحص الصفحة ويتحقق من الملف ويحفظ وينسخ احتياطيًا.",
        ),
        _worth_checking,
    ),
    Rule(
        "back-up",
        "WA-BACKUP",
        BACKUP,
        LocalizedText("Make a new backup now.", "أنشئ نسخة احتياطية جديدة الآن."),
        _worth_backing_up,
    ),
    Rule(
        "shrink-profile",
        "WA-SIZE",
        NOTHING,
        LocalizedText(
            "Delete old chats on the phone or raise MAX_SESSION_SIZE_MB; caches are trimmed by themselves.",
            "احذف المحادثات القديمة من الهاتف أو ارفع MAX_SESSION_SIZE_MB؛ تُقلَّص الملفات المؤقتة تلقائيًا.",
        ),
        lambda found: found.bad("WA-SIZE"),
    ),
    Rule(
        "more-memory",
        "WA-MEMORY",
        NOTHING,
        LocalizedText(
            "Give the worker more memory, or fewer sessions.",
            "امنح العامل ذاكرة أكثر أو جلسات أقل.",
        ),
        lambda found: found.bad("WA-MEMORY"),
    ),
    Rule(
        "more-disk",
        "WA-DISK",
        NOTHING,
        LocalizedText("Free space on the worker's disk or enlarge it.", "أفرغ مساحة في قرص العامل أو كبّره."),
        lambda found: found.bad("WA-DISK"),
    ),
    Rule(
        "update-driver",
        "WA-SELFCHECK",
        NOTHING,
        LocalizedText(
            "Update Persistent Session: WhatsApp has changed its page. The login is kept; do not clear.",
            "حدّث النظام: غيّر واتساب صفحته. يبقى تسجيل الدخول محفوظًا؛ لا تمسح الجلسة.",
        ),
        lambda found: found.bad("WA-SELFCHECK"),
    ),
)


def recommend(found: CaseFindings) -> tuple[Recommendation, ...]:
    """All rules that apply, the most urgent first. Without the bus no action can be carried out, so none is offered."""
    return tuple(
        _written(rule, found)
        for rule in RULES
        if rule.applies(found) and (rule.action == NOTHING or found.case.listening)
    )


def _written(rule: Rule, found: CaseFindings) -> Recommendation:
    return Recommendation(
        id=rule.id,
        text=rule.text.en,
        text_ar=rule.text.ar,
        action=rule.action,
        evidence=_evidence(_shown(rule, found), found),
    )


_RELATED = {
    "WA-PROFILE": ("WA-FILES",),
    "WA-PROBE": ("WA-SAVE", "WA-STALE", "WA-RECONNECTS", "WA-PROFILE"),
}


def _shown(rule: Rule, found: CaseFindings) -> str:
    """The check to quote: the rule's own, or the related one that is bad."""
    codes = (rule.code, *_RELATED.get(rule.code, ()))
    return next((code for code in codes if found.bad(code)), rule.code)


def _evidence(code: str, found: CaseFindings) -> str:
    finding = found.findings[code]
    said = f"{code}: {finding.value}" if finding.value else code
    return safe_text(f"{said} (limit {finding.limit})" if finding.limit else said)
