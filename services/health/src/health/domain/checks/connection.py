"""Whether the session is connected, and what stands in the way when it is not."""

from __future__ import annotations

from collections.abc import Callable

from health.domain.case import Case
from health.domain.causes import Cause
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level
from health.domain.localized_text import LocalizedText, duration, safe_text
from health.domain.recommendations import Action, CaseFindings, Rule, Urgency
from health.domain.thresholds import Thresholds
from shared.contracts.sessions import DesiredState, Reason, State

from . import profile, system

CONNECTION = CheckCode("WA-CONNECTION")

NEVER_STARTED = Problem("never_started", LocalizedText("The session has never been started.", "لم تبدأ الجلسة من قبل."))
CLEARED = Problem("cleared", LocalizedText("The session has been cleared.", "حُذفت الجلسة."))
STOPPED = Problem("stopped", LocalizedText("The session is stopped, as requested.", "الجلسة متوقفة كما هو مطلوب."))
STOPPING = Problem(
    "stopping",
    LocalizedText(
        "The session should be stopped but is still “{state}”.", "يجب أن تكون الجلسة متوقفة لكنها ما زالت «{state}»."
    ),
)
NOT_HEARD_YET = Problem(
    "not_heard_yet",
    LocalizedText(
        "Nothing has been heard of the session yet. Monitoring has just begun.",
        "لم تصل أي معلومات عن الجلسة بعد. بدأت المراقبة للتو.",
    ),
)
UNCLAIMED = Problem("unclaimed", LocalizedText("No worker has taken the session yet.", "لم يتولَّ أي مشغّل الجلسة بعد."))
STARTING = Problem("starting", LocalizedText("The session is starting.", "الجلسة قيد التشغيل."))
RESTORING = Problem(
    "restoring", LocalizedText("The session is being restored from a copy.", "تجري استعادة الجلسة من نسخة.")
)
WAITING_FOR_STORE = Problem(
    "waiting_for_store",
    LocalizedText(
        "The session is waiting for the backup storage. Whether a backup exists is not known.",
        "تنتظر الجلسة مخزن النسخ الاحتياطية. لا يُعرف بعد هل توجد نسخة احتياطية.",
    ),
)
PAIRING = Problem(
    "pairing", LocalizedText("The session is waiting to be linked with a phone.", "تنتظر الجلسة ربطها بهاتف.")
)
SYNCING = Problem(
    "syncing", LocalizedText("The session is linked and is syncing.", "رُبطت الجلسة وتجري مزامنة بياناتها.")
)
RECONNECTING = Problem(
    "reconnecting",
    LocalizedText(
        "The session has lost its connection and is reconnecting.", "فقدت الجلسة اتصالها وتعيد الاتصال الآن."
    ),
)
ELSEWHERE = Problem(
    "elsewhere",
    LocalizedText(
        "The page left WhatsApp Web. Nothing that it showed instead was used. WhatsApp Web is being loaded again.",
        "غادرت الصفحة واتساب ويب. لم يُستخدم شيء مما عرضته بدلًا منه، ويجري تحميل واتساب ويب من جديد.",
    ),
)
CONFLICT = Problem(
    "conflict",
    LocalizedText(
        "WhatsApp Web is open elsewhere with the same login.", "واتساب ويب مفتوح في مكان آخر بتسجيل الدخول نفسه."
    ),
)
LOGGED_OUT = Problem("logged_out", LocalizedText("The phone has unlinked this device.", "ألغى الهاتف ربط هذا الجهاز."))
SHOULD_RUN = Problem(
    "should_run", LocalizedText("The session should run but is stopped.", "يجب أن تعمل الجلسة لكنها متوقفة.")
)
NEEDS_ATTENTION = Problem(
    "needs_attention",
    LocalizedText(
        "The session could not be brought back. Slow attempts continue.",
        "تعذّرت إعادة الجلسة إلى العمل. تستمر محاولات متباعدة.",
    ),
)
FAILED = Problem("failed", LocalizedText("The session has failed.", "تعطلت الجلسة."))
UNKNOWN_STATE = Problem(
    "unknown_state",
    LocalizedText(
        "The session is in a state that this version does not know.", "الجلسة في حالة لا يعرفها هذا الإصدار."
    ),
)

BANNED = Problem("banned", LocalizedText("WhatsApp has banned the account.", "حظر واتساب هذا الحساب."))
TERMS = Problem(
    "terms",
    LocalizedText(
        "WhatsApp requires the account to accept its terms of service.",
        "يشترط واتساب أن يقبل هذا الحساب شروط الخدمة.",
    ),
)
NETWORK = Problem(
    "network",
    LocalizedText(
        "WhatsApp refuses the network that this server uses.", "يرفض واتساب الشبكة التي يستخدمها هذا الخادم."
    ),
)
PAGE_OUTDATED = Problem(
    "page_outdated",
    LocalizedText("WhatsApp no longer serves this version of its page.", "لم يعد واتساب يدعم هذا الإصدار من صفحته."),
)
DIALOG = Problem(
    "dialog", LocalizedText("WhatsApp shows a dialog that a person must answer.", "يعرض واتساب نافذة تتطلب ردًا من شخص.")
)
PROFILE_IN_USE = Problem(
    "profile_in_use",
    LocalizedText(
        "Another program is running a browser on the session's profile.",
        "يشغّل برنامج آخر متصفحًا على ملف الجلسة.",
    ),
)
BROWSER_OUTDATED = Problem(
    "browser_outdated",
    LocalizedText(
        "The copies of the session were made by a newer browser than the one installed here.",
        "أُنشئت نسخ الجلسة بمتصفح أحدث من المتصفح المثبَّت هنا.",
    ),
)
CLEAR_UNKNOWN = Problem(
    "clear_unknown",
    LocalizedText(
        "Whether the session was cleared is not known: the record of it in the backup storage does not verify.",
        "لا يُعرف هل حُذفت الجلسة: سجل الحذف في مخزن النسخ الاحتياطية لا يمكن التحقق منه.",
    ),
)

CAUSES: dict[Cause, Problem] = {
    Cause.BANNED: BANNED,
    Cause.TERMS: TERMS,
    Cause.NETWORK: NETWORK,
    Cause.PAGE_OUTDATED: PAGE_OUTDATED,
    Cause.DIALOG: DIALOG,
    Cause.PROFILE_IN_USE: PROFILE_IN_USE,
    Cause.BROWSER_OUTDATED: BROWSER_OUTDATED,
    Cause.CLEAR_UNKNOWN: CLEAR_UNKNOWN,
}
"""A row for each cause; a test sees to it."""

LONG = LocalizedText(
    "{what} This has lasted {duration}, which is too long.", "{what} استمر ذلك {duration}، وهي مدة أطول من اللازم."
)


def _lasting(problem: Problem) -> Problem:
    """The same problem once it has lasted too long."""
    return Problem(f"{problem.id}_long", LONG.fill(what=problem.text, duration="{duration}"))


STARTING_LONG = _lasting(STARTING)
RESTORING_LONG = _lasting(RESTORING)
WAITING_FOR_STORE_LONG = _lasting(WAITING_FOR_STORE)
SYNCING_LONG = _lasting(SYNCING)
RECONNECTING_LONG = _lasting(RECONNECTING)
ELSEWHERE_LONG = _lasting(ELSEWHERE)
SHOULD_RUN_LONG = _lasting(SHOULD_RUN)


def _bad(case: Case, level: Level, problem: Problem) -> Finding:
    return Finding(level, _value(case), problem=problem, began=case.status.since if case.status else None)


def _value(case: Case) -> str:
    if case.status is None:
        return case.desired.value if case.desired else "never started"
    said = f"{case.status.state}: {case.status.reason}" if case.status.reason else case.status.state
    hosts = case.status.browser.refused_hosts
    return safe_text(f"{said}; refused to the page: {', '.join(hosts)}" if hosts else said)


def _stage(case: Case, problem: Problem, lasting: Problem, critical_after: float) -> Finding:
    """A state that is a warning, and critical when it lasts longer than `critical_after` seconds."""
    if case.in_state <= critical_after:
        return _bad(case, Level.WARNING, problem)
    return _bad(case, Level.CRITICAL, lasting.fill(duration=duration(case.in_state)))


def examine_connection(case: Case) -> Finding:
    match case.desired:
        case None:
            return _never_started(case)
        case DesiredState.STOPPED:
            return _at_rest(case, STOPPED)
        case DesiredState.CLEARED:
            return _at_rest(case, CLEARED)
        case DesiredState.RUNNING:
            return _should_run(case)


def _never_started(case: Case) -> Finding:
    if not case.listened_long_enough:
        return _bad(case, Level.WARNING, NOT_HEARD_YET)
    return _bad(case, Level.WARNING, NEVER_STARTED)


def _at_rest(case: Case, problem: Problem) -> Finding:
    if case.status is not None and case.state is not State.STOPPED:
        return _bad(case, Level.WARNING, STOPPING.fill(state=safe_text(case.status.state)))
    return _bad(case, Level.WARNING, problem)


def _should_run(case: Case) -> Finding:
    if case.status is None:
        return _unclaimed(case)
    if case.cause is not None:
        return _bad(case, Level.CRITICAL, CAUSES[case.cause])
    return _by_state(case)


def _unclaimed(case: Case) -> Finding:
    if not case.listened_long_enough:
        return _bad(case, Level.WARNING, NOT_HEARD_YET)
    asked = case.seen.record.requested_at if case.seen.record else case.now
    late = case.age(asked) > case.limits.unclaimed_critical_seconds
    level = Level.CRITICAL if late else Level.WARNING
    return Finding(level, "no status", problem=UNCLAIMED, began=asked)


def _by_state(case: Case) -> Finding:
    """The state without a cause, as it is: one row for each, which mypy checks."""
    match case.state:
        case State.CONNECTED:
            return _connected(case)
        case State.STARTING:
            return _stage(case, STARTING, STARTING_LONG, _start_limit(case.limits))
        case State.SYNCING:
            return _stage(case, SYNCING, SYNCING_LONG, _start_limit(case.limits))
        case State.RESTORING:
            return _restoring(case)
        case State.RECONNECTING:
            return _reconnecting(case)
        case State.STOPPED:
            return _stage(case, SHOULD_RUN, SHOULD_RUN_LONG, case.limits.unclaimed_critical_seconds)
        case State.PAIRING:
            return _bad(case, Level.WARNING, PAIRING)
        case State.CONFLICT:
            return _bad(case, Level.CRITICAL, CONFLICT)
        case State.LOGGED_OUT:
            return _bad(case, Level.CRITICAL, LOGGED_OUT)
        case State.NEEDS_ATTENTION:
            return _bad(case, Level.CRITICAL, NEEDS_ATTENTION)
        case State.FAILED:
            return _bad(case, Level.CRITICAL, FAILED)
        case State.UNKNOWN:
            return _bad(case, Level.WARNING, UNKNOWN_STATE)


def _reconnecting(case: Case) -> Finding:
    limit = case.limits.reconnecting_critical_seconds
    if case.reason is Reason.PAGE_ELSEWHERE:
        return _stage(case, ELSEWHERE, ELSEWHERE_LONG, limit)
    return _stage(case, RECONNECTING, RECONNECTING_LONG, limit)


def _restoring(case: Case) -> Finding:
    limit = case.limits.restoring_critical_seconds
    if case.reason is Reason.STORE_UNREACHABLE:
        return _stage(case, WAITING_FOR_STORE, WAITING_FOR_STORE_LONG, limit)
    return _stage(case, RESTORING, RESTORING_LONG, limit)


def _connected(case: Case) -> Finding:
    """Connected counts only while the worker that said so is heard."""
    if not case.listening:
        return unknown("last seen connected, the bus is lost")
    if case.owner_alive:
        return healthy(_value(case))
    if case.silence_counts(case.owner.seen_at if case.owner else None):
        return unknown("last seen connected, its worker is silent")
    return _bad(case, Level.WARNING, NOT_HEARD_YET)


def _start_limit(limits: Thresholds) -> float:
    return limits.session_timeout_seconds * limits.slow_start_factor


CHECKS = (
    Check(
        CONNECTION,
        LocalizedText("Connection to WhatsApp", "الاتصال بواتساب"),
        LocalizedText(
            "Connected is healthy. Starting, restoring, pairing, syncing and reconnecting are warnings. All of them "
            "except pairing become critical when they last too long. Conflict, unlinked, banned, refused and failed "
            "are critical. A session that is not meant to run is at most a warning.",
            "الاتصال حالة سليمة. التشغيل والاستعادة والربط والمزامنة وإعادة الاتصال تحذيرات، وتصبح كلها حرجة إذا طالت "
            "ما عدا الربط. التعارض وإلغاء الربط والحظر والرفض والتعطل حالات حرجة. الجلسة التي لا يُطلب تشغيلها تحذير "
            "على الأكثر.",
        ),
        LocalizedText(
            "Follow the recommendation, which depends on the cause. Never reconnect a banned account.",
            "اتبع التوصية، فهي تعتمد على السبب. لا تُعد أبدًا توصيل حساب محظور.",
        ),
        lambda t: (
            f"critical after: reconnecting {duration(t.reconnecting_critical_seconds).en}, starting or syncing "
            f"{duration(_start_limit(t)).en}, restoring {duration(t.restoring_critical_seconds).en}, not taken by a "
            f"worker {duration(t.unclaimed_critical_seconds).en}"
        ),
        examine_connection,
    ),
)


def _caused_by(cause: Cause) -> Callable[[CaseFindings], bool]:
    return lambda found: found.case.should_run and found.case.cause is cause


def _worth_initializing(found: CaseFindings) -> bool:
    if found.blocked or profile.damaged(found) or found.has(system.NO_WORKER, system.TWO_OWNERS):
        return False
    if not found.case.should_run:
        return found.has(NEVER_STARTED, STOPPED, CLEARED)
    return found.findings[CONNECTION].level is Level.CRITICAL and found.case.state not in (
        State.CONFLICT,
        State.LOGGED_OUT,
    )


RULES = (
    Rule(
        "account-banned",
        Urgency.CAUSE,
        (CONNECTION,),
        None,
        LocalizedText(
            "Do not reconnect. Open WhatsApp on the phone and follow its instructions about the ban.",
            "لا تُعد الاتصال. افتح واتساب على الهاتف واتبع تعليماته بشأن الحظر.",
        ),
        _caused_by(Cause.BANNED),
    ),
    Rule(
        "accept-terms",
        Urgency.CAUSE,
        (CONNECTION,),
        None,
        LocalizedText(
            "Open WhatsApp on the phone and accept the terms of service. Do not reconnect before that.",
            "افتح واتساب على الهاتف واقبل شروط الخدمة. لا تُعد الاتصال قبل ذلك.",
        ),
        _caused_by(Cause.TERMS),
    ),
    Rule(
        "update-page",
        Urgency.CAUSE,
        (CONNECTION,),
        None,
        LocalizedText(
            "Update Persistent Session: WhatsApp no longer serves this version of its page. The login is kept.",
            "حدّث نظام الجلسة الدائمة: لم يعد واتساب يدعم هذا الإصدار من صفحته. يبقى تسجيل الدخول محفوظًا.",
        ),
        _caused_by(Cause.PAGE_OUTDATED),
    ),
    Rule(
        "change-network",
        Urgency.CAUSE,
        (CONNECTION,),
        None,
        LocalizedText(
            "Run the worker on another network or without a proxy. The login is kept.",
            "انقل المشغّل إلى شبكة أخرى أو شغّله دون خادم وكيل. يبقى تسجيل الدخول محفوظًا.",
        ),
        _caused_by(Cause.NETWORK),
    ),
    Rule(
        "answer-dialog",
        Urgency.CAUSE,
        (CONNECTION,),
        None,
        LocalizedText(
            "Answer the dialog that WhatsApp shows, on the phone or in WhatsApp Web.",
            "استجب للنافذة التي يعرضها واتساب، على الهاتف أو في واتساب ويب.",
        ),
        _caused_by(Cause.DIALOG),
    ),
    Rule(
        "stop-other-program",
        Urgency.CAUSE,
        (CONNECTION,),
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
        Urgency.CAUSE,
        (CONNECTION,),
        None,
        LocalizedText(
            "Update the browser on this machine, then initialize the session. The copies are kept.",
            "حدّث المتصفح على هذا الجهاز، ثم هيّئ الجلسة. تبقى النسخ محفوظة.",
        ),
        _caused_by(Cause.BROWSER_OUTDATED),
    ),
    Rule(
        "decide-clear",
        Urgency.CAUSE,
        (CONNECTION,),
        None,
        LocalizedText(
            "Decide whether this session was cleared. If it was not, restore a backup from the list. If it was, clear "
            "the session again. Nothing is restored or deleted before that.",
            "قرّر هل سبق حذف هذه الجلسة. إن لم تُحذف فاستعد نسخة من القائمة، وإن حُذفت فاحذفها من جديد. لن يُستعاد شيء ولن "
            "يُحذف شيء قبل ذلك.",
        ),
        _caused_by(Cause.CLEAR_UNKNOWN),
    ),
    Rule(
        "scan-qr",
        Urgency.LINK,
        (CONNECTION,),
        None,
        LocalizedText(
            "Scan the QR code with the phone: WhatsApp, Linked devices, Link a device.",
            "امسح رمز QR بالهاتف: واتساب، الأجهزة المرتبطة، ربط جهاز.",
        ),
        lambda found: found.case.should_run and found.case.state is State.PAIRING,
    ),
    Rule(
        "link-again",
        Urgency.LINK,
        (CONNECTION,),
        Action.INITIALIZE,
        LocalizedText(
            "Link the phone again: initialize the session, then scan the QR code. A revoked login cannot be restored.",
            "اربط الهاتف من جديد: هيّئ الجلسة ثم امسح رمز QR. لا يمكن استعادة تسجيل دخول أُلغي.",
        ),
        lambda found: found.case.should_run and found.case.state is State.LOGGED_OUT and not found.blocked,
    ),
    Rule(
        "close-elsewhere",
        Urgency.LINK,
        (CONNECTION,),
        Action.INITIALIZE,
        LocalizedText(
            "Close WhatsApp Web wherever else it is open with this login, then initialize the session.",
            "أغلق واتساب ويب حيثما كان مفتوحًا بتسجيل الدخول هذا، ثم هيّئ الجلسة.",
        ),
        lambda found: found.case.should_run and found.case.state is State.CONFLICT,
    ),
    Rule(
        "wait-restore",
        Urgency.LINK,
        (CONNECTION,),
        None,
        LocalizedText(
            "Wait: the system is restoring the session from the newest good copy. Do not clear the session.",
            "انتظر: يستعيد النظام الجلسة من أحدث نسخة سليمة. لا تحذف الجلسة.",
        ),
        lambda found: found.restoring,
    ),
    Rule(
        "initialize",
        Urgency.UPKEEP,
        (CONNECTION,),
        Action.INITIALIZE,
        LocalizedText("Initialize the session.", "هيّئ الجلسة."),
        _worth_initializing,
    ),
)
