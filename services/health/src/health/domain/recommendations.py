"""What to do about what was found: a table of rules, each with an id, its evidence and at most one action.

Three promises hold for every observation: `clear` is never recommended while a copy exists or may exist, nobody who
was banned or refused by WhatsApp is told to reconnect, and an action is recommended only where it can help now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.contracts.health import Recommendation
from shared.contracts.sessions import State

from .case import Blame, Case
from .finding import Finding
from .levels import Level
from .words import Words, plain

INITIALIZE = "initialize"
CLEAR = "clear"
HEALTH_CHECK = "health-check"
BACKUP = "backup"
RESTORE = "restore"
NOTHING = ""
"""A person must act, or only wait."""


@dataclass(frozen=True)
class Facts:
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
        return self.case.blame is not Blame.NONE


@dataclass(frozen=True)
class Rule:
    """`code`: the check whose figure is the evidence."""

    id: str
    code: str
    action: str
    words: Words
    applies: Callable[[Facts], bool]


def _blamed(blame: Blame) -> Callable[[Facts], bool]:
    return lambda facts: facts.case.wanted and facts.case.blame is blame


def _worth_initializing(facts: Facts) -> bool:
    if facts.refused or facts.damaged or facts.bad("WA-WORKER", "none") or facts.bad("WA-OWNERS", "two"):
        return False
    if not facts.case.wanted:
        return facts.bad("WA-CONNECTION", "never started", "stopped", "cleared")
    return facts.findings["WA-CONNECTION"].level is Level.CRITICAL and facts.case.state not in (
        State.CONFLICT,
        State.LOGGED_OUT,
    )


def _worth_backing_up(facts: Facts) -> bool:
    usable = not facts.bad("WA-STORE") and facts.case.state is State.CONNECTED and not facts.damaged
    return facts.case.wanted and facts.bad("WA-BACKUP") and usable


def _worth_checking(facts: Facts) -> bool:
    live = facts.case.wanted and not facts.refused and not facts.bad("WA-WORKER")
    return live and (
        facts.bad("WA-PROBE")
        or facts.bad("WA-SAVE")
        or facts.bad("WA-STALE")
        or facts.bad("WA-RECONNECTS")
        or facts.bad("WA-PROFILE", "not-validated")
    )


def _restoring(facts: Facts) -> bool:
    return facts.case.wanted and facts.case.state is State.RESTORING


RULES: tuple[Rule, ...] = (
    Rule(
        "account-banned",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "Do not reconnect. Open WhatsApp on the phone and follow what it says about the ban.",
            "لا تُعد الاتصال. افتح واتساب على الهاتف واتبع ما يقوله عن الحظر.",
        ),
        _blamed(Blame.BANNED),
    ),
    Rule(
        "accept-terms",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "Open WhatsApp on the phone and accept the terms of service; do not reconnect before.",
            "افتح واتساب على الهاتف واقبل شروط الخدمة؛ لا تُعد الاتصال قبل ذلك.",
        ),
        _blamed(Blame.TERMS),
    ),
    Rule(
        "update-page",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "Update Persistent Session: WhatsApp no longer serves this page. The login is kept.",
            "حدّث النظام: لم يعد واتساب يدعم هذه الصفحة. يبقى تسجيل الدخول محفوظًا.",
        ),
        _blamed(Blame.DEPRECATED),
    ),
    Rule(
        "change-network",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "Run the worker from another network or without a proxy. The login is kept.",
            "شغّل العامل من شبكة أخرى أو دون وسيط. يبقى تسجيل الدخول محفوظًا.",
        ),
        _blamed(Blame.PROXY),
    ),
    Rule(
        "see-phone",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "Open WhatsApp on the phone: it says why it refuses (terms of service), or change the server's network.",
            "افتح واتساب على الهاتف ليظهر سبب الرفض (شروط الخدمة)، أو غيّر شبكة الخادم.",
        ),
        _blamed(Blame.BLOCKED),
    ),
    Rule(
        "answer-dialog",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "A person must answer the dialog that WhatsApp shows, on the phone or in WhatsApp Web.",
            "يجب أن يجيب شخص عن النافذة التي يعرضها واتساب، على الهاتف أو في واتساب ويب.",
        ),
        _blamed(Blame.DIALOG),
    ),
    Rule(
        "one-owner",
        "WA-OWNERS",
        NOTHING,
        Words(
            "Stop every other system that uses this session; two at once can lose it.",
            "أوقف كل نظام آخر يستخدم هذه الجلسة؛ تشغيل اثنين معًا قد يُفقدها.",
        ),
        lambda facts: facts.bad("WA-OWNERS"),
    ),
    Rule(
        "mend-bus",
        "WA-NATS",
        NOTHING,
        Words(
            "Look at the NATS server; everything goes on by itself when it is well.",
            "افحص خادم NATS؛ يستمر كل شيء تلقائيًا بعد إصلاحه.",
        ),
        lambda facts: facts.bad("WA-NATS"),
    ),
    Rule(
        "mend-worker",
        "WA-WORKER",
        NOTHING,
        Words("Start or add a browser worker, and look at its log.", "شغّل عامل متصفح أو أضف آخر، وراجع سجله."),
        lambda facts: facts.bad("WA-WORKER"),
    ),
    Rule(
        "mend-store",
        "WA-STORE",
        NOTHING,
        Words(
            "Check the backup service, the address of its S3 storage and its keys.",
            "افحص خدمة النسخ الاحتياطي وعنوان مخزن S3 ومفاتيحه.",
        ),
        lambda facts: facts.bad("WA-STORE"),
    ),
    Rule(
        "scan-qr",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "Scan the QR with the phone: WhatsApp, Linked devices, Link a device.",
            "امسح رمز QR بالهاتف: واتساب، الأجهزة المرتبطة، ربط جهاز.",
        ),
        lambda facts: facts.case.wanted and facts.case.state is State.PAIRING,
    ),
    Rule(
        "link-again",
        "WA-CONNECTION",
        INITIALIZE,
        Words(
            "Link the phone again: initialize, then scan the QR. A revoked login cannot be restored.",
            "اربط الهاتف من جديد: هيّئ الجلسة ثم امسح رمز QR. لا يمكن استعادة تسجيل دخول أُلغي.",
        ),
        lambda facts: facts.case.wanted and facts.case.state is State.LOGGED_OUT and not facts.refused,
    ),
    Rule(
        "close-elsewhere",
        "WA-CONNECTION",
        INITIALIZE,
        Words(
            "Close WhatsApp Web where else it runs with this login, then initialize.",
            "أغلق واتساب ويب في المكان الآخر الذي يعمل فيه بهذا الدخول، ثم هيّئ الجلسة.",
        ),
        lambda facts: facts.case.wanted and facts.case.state is State.CONFLICT,
    ),
    Rule(
        "wait-restore",
        "WA-CONNECTION",
        NOTHING,
        Words(
            "Wait: the system restores the session by itself from the newest good copy. Nothing is to be cleared.",
            "انتظر: يستعيد النظام الجلسة تلقائيًا من أحدث نسخة سليمة. لا تمسح شيئًا.",
        ),
        _restoring,
    ),
    Rule(
        "restore-backup",
        "WA-PROFILE",
        RESTORE,
        Words(
            "The profile is damaged and backups exist: restore the newest one. It is not to be cleared.",
            "ملف الجلسة تالف وتوجد نسخ احتياطية: استعد أحدثها. لا تمسح الجلسة.",
        ),
        lambda facts: facts.damaged and facts.case.has_backup and not facts.refused and not _restoring(facts),
    ),
    Rule(
        "restart-from-save",
        "WA-PROFILE",
        INITIALIZE,
        Words(
            "The profile is damaged and a local save exists: initialize restores it. It is not to be cleared.",
            "ملف الجلسة تالف ويوجد حفظ محلي: التهيئة تستعيده. لا تمسح الجلسة.",
        ),
        lambda facts: (
            facts.damaged
            and facts.case.has_save
            and not facts.case.has_backup
            and not facts.refused
            and not _restoring(facts)
        ),
    ),
    Rule(
        "find-copies",
        "WA-PROFILE",
        NOTHING,
        Words(
            "The profile is damaged and whether backups exist is not known: let the backup service answer first.",
            "ملف الجلسة تالف ولا يُعرف هل توجد نسخ احتياطية: انتظر إجابة خدمة النسخ الاحتياطي أولًا.",
        ),
        lambda facts: (
            facts.damaged and not facts.case.has_save and not facts.case.has_backup and not facts.case.surely_no_copy
        ),
    ),
    Rule(
        "clear-damaged",
        "WA-PROFILE",
        CLEAR,
        Words(
            "The profile is damaged and no copy of it exists: clear the session and link the phone again.",
            "ملف الجلسة تالف ولا توجد أي نسخة منه: امسح الجلسة واربط الهاتف من جديد.",
        ),
        lambda facts: facts.damaged and facts.case.surely_no_copy and not facts.refused and not _restoring(facts),
    ),
    Rule(
        "initialize",
        "WA-CONNECTION",
        INITIALIZE,
        Words("Initialize the session.", "هيّئ الجلسة."),
        _worth_initializing,
    ),
    Rule(
        "health-check",
        "WA-PROBE",
        HEALTH_CHECK,
        Words(
            "Run a health check: it probes the page, validates the profile, saves and backs up.",
            "شغّل فحص الصحة: يفحص الصفحة ويتحقق من الملف ويحفظ وينسخ احتياطيًا.",
        ),
        _worth_checking,
    ),
    Rule(
        "back-up",
        "WA-BACKUP",
        BACKUP,
        Words("Make a new backup now.", "أنشئ نسخة احتياطية جديدة الآن."),
        _worth_backing_up,
    ),
    Rule(
        "shrink-profile",
        "WA-SIZE",
        NOTHING,
        Words(
            "Delete old chats on the phone or raise MAX_SESSION_SIZE_MB; caches are trimmed by themselves.",
            "احذف المحادثات القديمة من الهاتف أو ارفع MAX_SESSION_SIZE_MB؛ تُقلَّص الملفات المؤقتة تلقائيًا.",
        ),
        lambda facts: facts.bad("WA-SIZE"),
    ),
    Rule(
        "more-memory",
        "WA-MEMORY",
        NOTHING,
        Words(
            "Give the worker more memory, or fewer sessions.",
            "امنح العامل ذاكرة أكثر أو جلسات أقل.",
        ),
        lambda facts: facts.bad("WA-MEMORY"),
    ),
    Rule(
        "more-disk",
        "WA-DISK",
        NOTHING,
        Words("Free space on the worker's disk or enlarge it.", "أفرغ مساحة في قرص العامل أو كبّره."),
        lambda facts: facts.bad("WA-DISK"),
    ),
    Rule(
        "update-driver",
        "WA-SELFCHECK",
        NOTHING,
        Words(
            "Update Persistent Session: WhatsApp has changed its page. The login is kept; do not clear.",
            "حدّث النظام: غيّر واتساب صفحته. يبقى تسجيل الدخول محفوظًا؛ لا تمسح الجلسة.",
        ),
        lambda facts: facts.bad("WA-SELFCHECK"),
    ),
)


def recommend(facts: Facts) -> tuple[Recommendation, ...]:
    """All rules that apply, the most urgent first. Without the bus no action can be carried out, so none is offered."""
    return tuple(
        _written(rule, facts)
        for rule in RULES
        if rule.applies(facts) and (rule.action == NOTHING or facts.case.listening)
    )


def _written(rule: Rule, facts: Facts) -> Recommendation:
    return Recommendation(
        id=rule.id,
        text=rule.words.en,
        text_ar=rule.words.ar,
        action=rule.action,
        evidence=_evidence(_shown(rule, facts), facts),
    )


_RELATED = {
    "WA-PROFILE": ("WA-FILES",),
    "WA-PROBE": ("WA-SAVE", "WA-STALE", "WA-RECONNECTS", "WA-PROFILE"),
}


def _shown(rule: Rule, facts: Facts) -> str:
    """The check to quote: the rule's own, or the related one that is bad."""
    codes = (rule.code, *_RELATED.get(rule.code, ()))
    return next((code for code in codes if facts.bad(code)), rule.code)


def _evidence(code: str, facts: Facts) -> str:
    finding = facts.findings[code]
    said = f"{code}: {finding.value}" if finding.value else code
    return plain(f"{said} (limit {finding.limit})" if finding.limit else said)
