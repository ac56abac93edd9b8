"""Whether the session is connected, its page answers and its owner still reports."""

from __future__ import annotations

from dataclasses import dataclass

from health.domain.case import Case
from health.domain.causes import Cause
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, safe_text
from health.domain.thresholds import Thresholds
from shared.contracts.sessions import DesiredState, Reason, State

NEVER_STARTED = LocalizedText("The session has never been started.", "لم تبدأ الجلسة من قبل.")
CLEARED = LocalizedText("The session has been cleared.", "حُذفت الجلسة.")
STOPPED = LocalizedText("The session is stopped, as requested.", "الجلسة متوقفة كما هو مطلوب.")
STOPPING = LocalizedText(
    "The session should be stopped but is still “{state}”.", "يجب أن تكون الجلسة متوقفة لكنها ما زالت «{state}»."
)
NOT_HEARD_YET = LocalizedText(
    "Nothing has been heard of the session yet. Monitoring has just begun.",
    "لم تصل أي معلومات عن الجلسة بعد. بدأت المراقبة للتو.",
)
UNCLAIMED = LocalizedText("No worker has taken the session yet.", "لم يتولَّ أي مشغّل الجلسة بعد.")
STARTING = LocalizedText("The session is starting.", "الجلسة قيد التشغيل.")
RESTORING = LocalizedText("The session is being restored from a copy.", "تجري استعادة الجلسة من نسخة.")
WAITING_FOR_STORE = LocalizedText(
    "The session is waiting for the backup storage. Whether a backup exists is not known.",
    "تنتظر الجلسة مخزن النسخ الاحتياطية. لا يُعرف بعد هل توجد نسخة احتياطية.",
)
PAIRING = LocalizedText("The session is waiting to be linked with a phone.", "تنتظر الجلسة ربطها بهاتف.")
SYNCING = LocalizedText("The session is linked and is syncing.", "رُبطت الجلسة وتجري مزامنة بياناتها.")
RECONNECTING = LocalizedText(
    "The session has lost its connection and is reconnecting.", "فقدت الجلسة اتصالها وتعيد الاتصال الآن."
)
LONG = LocalizedText(
    "{what} This has lasted {duration}, which is too long.", "{what} استمر ذلك {duration}، وهي مدة أطول من اللازم."
)
CONFLICT = LocalizedText(
    "WhatsApp Web is open elsewhere with the same login.", "واتساب ويب مفتوح في مكان آخر بتسجيل الدخول نفسه."
)
LOGGED_OUT = LocalizedText("The phone has unlinked this device.", "ألغى الهاتف ربط هذا الجهاز.")
SHOULD_RUN = LocalizedText("The session should run but is stopped.", "يجب أن تعمل الجلسة لكنها متوقفة.")
NEEDS_ATTENTION = LocalizedText(
    "The session could not be brought back. Slow attempts continue.",
    "تعذّرت إعادة الجلسة إلى العمل. تستمر محاولات متباعدة.",
)
FAILED = LocalizedText("The session has failed.", "تعطلت الجلسة.")
UNKNOWN_STATE = LocalizedText(
    "The session is in a state that this version does not know.", "الجلسة في حالة لا يعرفها هذا الإصدار."
)

CAUSES: dict[Cause, tuple[Problem, LocalizedText]] = {
    Cause.BANNED: (
        Problem.BANNED,
        LocalizedText("WhatsApp has banned the account.", "حظر واتساب هذا الحساب."),
    ),
    Cause.TERMS: (
        Problem.TERMS,
        LocalizedText(
            "WhatsApp requires the account to accept its terms of service.",
            "يشترط واتساب أن يقبل هذا الحساب شروط الخدمة.",
        ),
    ),
    Cause.NETWORK: (
        Problem.NETWORK,
        LocalizedText(
            "WhatsApp refuses the network that this server uses.", "يرفض واتساب الشبكة التي يستخدمها هذا الخادم."
        ),
    ),
    Cause.PAGE_OUTDATED: (
        Problem.PAGE_OUTDATED,
        LocalizedText(
            "WhatsApp no longer serves this version of its page.", "لم يعد واتساب يدعم هذا الإصدار من صفحته."
        ),
    ),
    Cause.DIALOG: (
        Problem.DIALOG,
        LocalizedText("WhatsApp shows a dialog that a person must answer.", "يعرض واتساب نافذة تتطلب ردًا من شخص."),
    ),
    Cause.PROFILE_IN_USE: (
        Problem.PROFILE_IN_USE,
        LocalizedText(
            "Another program is running a browser on the session's profile.",
            "يشغّل برنامج آخر متصفحًا على ملف الجلسة.",
        ),
    ),
    Cause.BROWSER_OUTDATED: (
        Problem.BROWSER_OUTDATED,
        LocalizedText(
            "The copies of the session were made by a newer browser than the one installed here.",
            "أُنشئت نسخ الجلسة بمتصفح أحدث من المتصفح المثبَّت هنا.",
        ),
    ),
}
"""A row for each cause; a test sees to it."""


def _bad(case: Case, level: Level, problem: Problem, text: LocalizedText) -> Finding:
    began = case.status.since if case.status else None
    return Finding(level, _value(case), problem=problem, text=text, began=began)


def _value(case: Case) -> str:
    if case.status is None:
        return case.desired.value if case.desired else "never started"
    return safe_text(f"{case.status.state}: {case.status.reason}" if case.status.reason else case.status.state)


@dataclass(frozen=True)
class _Stage:
    """A state that is a warning, and critical when it lasts."""

    problem: Problem
    problem_long: Problem
    text: LocalizedText

    def finding(self, case: Case, critical_after: float) -> Finding:
        """`critical_after` in seconds."""
        if case.in_state <= critical_after:
            return _bad(case, Level.WARNING, self.problem, self.text)
        text = LONG.fill(what=self.text, duration=duration(case.in_state))
        return _bad(case, Level.CRITICAL, self.problem_long, text)


_STARTING = _Stage(Problem.STARTING, Problem.STARTING_LONG, STARTING)
_SYNCING = _Stage(Problem.SYNCING, Problem.SYNCING_LONG, SYNCING)
_RESTORING = _Stage(Problem.RESTORING, Problem.RESTORING_LONG, RESTORING)
_WAITING_FOR_STORE = _Stage(Problem.WAITING_FOR_STORE, Problem.WAITING_FOR_STORE_LONG, WAITING_FOR_STORE)
_RECONNECTING = _Stage(Problem.RECONNECTING, Problem.RECONNECTING_LONG, RECONNECTING)
_SHOULD_RUN = _Stage(Problem.SHOULD_RUN, Problem.SHOULD_RUN_LONG, SHOULD_RUN)


def examine_connection(case: Case) -> Finding:
    match case.desired:
        case None:
            return _never_started(case)
        case DesiredState.STOPPED:
            return _at_rest(case, Problem.STOPPED, STOPPED)
        case DesiredState.CLEARED:
            return _at_rest(case, Problem.CLEARED, CLEARED)
        case DesiredState.RUNNING:
            return _should_run(case)


def _never_started(case: Case) -> Finding:
    if not case.listened_long_enough:
        return _bad(case, Level.WARNING, Problem.NOT_HEARD_YET, NOT_HEARD_YET)
    return _bad(case, Level.WARNING, Problem.NEVER_STARTED, NEVER_STARTED)


def _at_rest(case: Case, problem: Problem, text: LocalizedText) -> Finding:
    if case.status is not None and case.state is not State.STOPPED:
        return _bad(case, Level.WARNING, Problem.STOPPING, STOPPING.fill(state=safe_text(case.status.state)))
    return _bad(case, Level.WARNING, problem, text)


def _should_run(case: Case) -> Finding:
    if case.status is None:
        return _unclaimed(case)
    if case.cause is not None:
        problem, text = CAUSES[case.cause]
        return _bad(case, Level.CRITICAL, problem, text)
    return _by_state(case)


def _unclaimed(case: Case) -> Finding:
    if not case.listened_long_enough:
        return _bad(case, Level.WARNING, Problem.NOT_HEARD_YET, NOT_HEARD_YET)
    asked = case.seen.record.requested_at if case.seen.record else case.now
    late = case.age(asked) > case.limits.unclaimed_critical_seconds
    level = Level.CRITICAL if late else Level.WARNING
    return Finding(level, "no status", problem=Problem.UNCLAIMED, text=UNCLAIMED, began=asked)


def _by_state(case: Case) -> Finding:
    """The state without a cause, as it is: one row for each, which mypy checks."""
    match case.state:
        case State.CONNECTED:
            return _connected(case)
        case State.STARTING:
            return _STARTING.finding(case, _start_limit(case.limits))
        case State.SYNCING:
            return _SYNCING.finding(case, _start_limit(case.limits))
        case State.RESTORING:
            stage = _WAITING_FOR_STORE if case.reason is Reason.STORE_UNREACHABLE else _RESTORING
            return stage.finding(case, case.limits.restoring_critical_seconds)
        case State.RECONNECTING:
            return _RECONNECTING.finding(case, case.limits.reconnecting_critical_seconds)
        case State.STOPPED:
            return _SHOULD_RUN.finding(case, case.limits.unclaimed_critical_seconds)
        case State.PAIRING:
            return _bad(case, Level.WARNING, Problem.PAIRING, PAIRING)
        case State.CONFLICT:
            return _bad(case, Level.CRITICAL, Problem.CONFLICT, CONFLICT)
        case State.LOGGED_OUT:
            return _bad(case, Level.CRITICAL, Problem.LOGGED_OUT, LOGGED_OUT)
        case State.NEEDS_ATTENTION:
            return _bad(case, Level.CRITICAL, Problem.NEEDS_ATTENTION, NEEDS_ATTENTION)
        case State.FAILED:
            return _bad(case, Level.CRITICAL, Problem.FAILED, FAILED)
        case State.UNKNOWN:
            return _bad(case, Level.WARNING, Problem.UNKNOWN_STATE, UNKNOWN_STATE)


def _connected(case: Case) -> Finding:
    """Connected counts only while the worker that said so is heard."""
    if not case.listening:
        return unknown("last seen connected, the bus is lost")
    if case.owner_alive:
        return healthy(_value(case))
    if case.silence_counts(case.owner.seen_at if case.owner else None):
        return unknown("last seen connected, its worker is silent")
    return _bad(case, Level.WARNING, Problem.NOT_HEARD_YET, NOT_HEARD_YET)


def _start_limit(limits: Thresholds) -> float:
    return limits.session_timeout_seconds * limits.slow_start_factor


SILENT_PAGE = LocalizedText(
    "The page has not answered a probe for {duration}.", "لم تستجب الصفحة للفحص منذ {duration}."
)


def examine_probe(case: Case) -> Finding:
    if case.status is None or not case.page_expected:
        return unknown("no page is expected to answer")
    began = case.status.probed_at or case.status.since
    silent = case.age(began)
    limit = duration(case.limits.probe_warning_seconds).en
    level = graded(silent, case.limits.probe_warning_seconds, case.limits.probe_critical_seconds)
    if level.bad:
        text = SILENT_PAGE.fill(duration=duration(silent))
        return Finding(level, duration(silent).en, limit, Problem.SILENT_PAGE, text, began)
    if case.status.probed_at is None:
        return unknown("not probed yet")
    return healthy(duration(silent).en, limit)


STALE = LocalizedText(
    "The session's status has not been renewed for {duration}.", "لم تُحدَّث حالة الجلسة منذ {duration}."
)


def examine_stale(case: Case) -> Finding:
    seen_at = case.seen.status_seen_at
    if case.status is None or seen_at is None or not case.listening:
        return unknown("no status yet" if case.listening else "the bus is lost")
    if not case.should_run:
        return unknown("no renewal is expected")
    # what went missing while the bus was lost is not the worker's fault
    began = max(seen_at, case.seen.listening_since or seen_at)
    silent = case.age(began)
    limit = duration(case.limits.stale_warning_seconds).en
    level = graded(silent, case.limits.stale_warning_seconds, case.limits.stale_critical_seconds)
    if level.bad:
        text = STALE.fill(duration=duration(silent))
        return Finding(level, duration(silent).en, limit, Problem.STALE_STATUS, text, began)
    return healthy(duration(silent).en, limit)


ATTEMPTS = LocalizedText(
    "{attempts} attempts to reconnect were made. Fast attempts end at {limit}.",
    "عدد محاولات إعادة الاتصال {attempts}. تنتهي المحاولات السريعة عند {limit}.",
)


def examine_reconnects(case: Case) -> Finding:
    if case.status is None or not case.should_run:
        return unknown("not running")
    attempts, limit = case.status.reconnect_attempts, case.limits.max_reconnect_attempts
    level = graded(attempts, max(1, limit - 2) - 1, max(1, limit) - 1)
    if case.state is State.CONNECTED and level.bad:
        level = Level.WARNING
    if level.bad:
        text = ATTEMPTS.fill(attempts=attempts, limit=limit)
        return Finding(level, str(attempts), str(limit), Problem.MANY_ATTEMPTS, text)
    return healthy(str(attempts), str(limit))


CHECKS = (
    Check(
        CheckCode.CONNECTION,
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
    Check(
        CheckCode.PROBE,
        LocalizedText("Page answers", "استجابة الصفحة"),
        LocalizedText(
            "The page has answered a recent probe. A session without new messages is no fault.",
            "استجابت الصفحة لآخر فحص. عدم وصول رسائل جديدة ليس عطلًا.",
        ),
        LocalizedText(
            "Run a health check. The worker reloads the page and restarts the browser automatically.",
            "شغّل فحص الصحة. يعيد المشغّل تحميل الصفحة وتشغيل المتصفح تلقائيًا.",
        ),
        lambda t: f"warning {duration(t.probe_warning_seconds).en}, critical {duration(t.probe_critical_seconds).en}",
        examine_probe,
    ),
    Check(
        CheckCode.STALE,
        LocalizedText("Status is fresh", "حداثة الحالة"),
        LocalizedText("The owner renews the session's status.", "يحدّث المشغّل المسؤول حالة الجلسة باستمرار."),
        LocalizedText("Check the worker. It may hang.", "افحص المشغّل، فقد يكون متوقفًا عن الاستجابة."),
        lambda t: f"warning {duration(t.stale_warning_seconds).en}, critical {duration(t.stale_critical_seconds).en}",
        examine_stale,
    ),
    Check(
        CheckCode.RECONNECTS,
        LocalizedText("Attempts to reconnect", "محاولات إعادة الاتصال"),
        LocalizedText(
            "The number of attempts since the last stable connection, compared with MAX_RECONNECT_ATTEMPTS.",
            "عدد المحاولات منذ آخر اتصال مستقر مقارنةً بـ MAX_RECONNECT_ATTEMPTS.",
        ),
        LocalizedText(
            "Check the network of the server. Nothing is deleted after the last attempt: slow attempts continue.",
            "افحص شبكة الخادم. لا يُحذف شيء بعد آخر محاولة، بل تستمر محاولات متباعدة.",
        ),
        lambda t: (
            f"warning from {max(1, t.max_reconnect_attempts - 2)}, critical from {max(1, t.max_reconnect_attempts)} "
            "(a warning only while connected)"
        ),
        examine_reconnects,
    ),
)
