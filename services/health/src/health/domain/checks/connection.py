"""Is the session connected, does its page answer, does its owner still report?"""

from __future__ import annotations

from collections.abc import Callable

from health.domain.case import Case, Cause, Wish
from health.domain.finding import Check, Finding, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, safe_text
from shared.contracts.sessions import State

NEVER_STARTED = LocalizedText("The session has never been started.", "لم تُشغَّل الجلسة من قبل.")
CLEARED = LocalizedText("The session has been cleared.", "تم مسح الجلسة.")
STOPPED = LocalizedText("The session is stopped, as was asked.", "الجلسة متوقفة كما طُلب.")
STOPPING = LocalizedText(
    "The session should be stopped and is still “{state}”.", "يُفترض أن تكون الجلسة متوقفة وما زالت «{state}»."
)
NOT_SEEN_YET = LocalizedText(
    "Nothing has been heard of the session yet; monitoring has just begun.",
    "لم تصل أي معلومات عن الجلسة بعد؛ بدأت المراقبة للتو.",
)
UNCLAIMED = LocalizedText("No worker has taken the session yet.", "لم يتولَّ أي عامل الجلسة بعد.")
STARTING = LocalizedText("The session is starting.", "الجلسة قيد التشغيل.")
RESTORING = LocalizedText("The session is being restored from a copy.", "تُستعاد الجلسة من نسخة.")
WAITING_FOR_STORE = LocalizedText(
    "The session waits for the backup storage: whether a backup exists is not known.",
    "الجلسة تنتظر مخزن النسخ الاحتياطية: لا يُعرف بعد هل توجد نسخة.",
)
PAIRING = LocalizedText("The session waits for a phone to link it.", "الجلسة تنتظر ربطها بهاتف.")
SYNCING = LocalizedText("The session is linked and syncing.", "الجلسة مرتبطة وتُزامن بياناتها.")
RECONNECTING = LocalizedText(
    "The session has lost its connection and reconnects.", "فقدت الجلسة اتصالها وتعيد الاتصال."
)
LONG = LocalizedText("{what} It has lasted {span}, too long.", "{what} استمر ذلك {span} وهي مدة طويلة.")
CONFLICT = LocalizedText(
    "WhatsApp Web is open elsewhere with the same login.", "واتساب ويب مفتوح في مكان آخر بتسجيل الدخول نفسه."
)
LOGGED_OUT = LocalizedText("The phone has unlinked this device.", "ألغى الهاتف ربط هذا الجهاز.")
SHOULD_RUN = LocalizedText("The session should run and is stopped.", "يُفترض أن تعمل الجلسة لكنها متوقفة.")
NEEDS_ATTENTION = LocalizedText(
    "The session could not be brought back; slow attempts go on.",
    "تعذّرت إعادة الجلسة؛ تستمر المحاولات ببطء.",
)
FAILED = LocalizedText("The session has failed.", "فشلت الجلسة.")
STRANGE = LocalizedText(
    "The session is in a state that this version does not know.", "الجلسة في حالة لا يعرفها هذا الإصدار."
)

CAUSES: dict[Cause, LocalizedText] = {
    Cause.BANNED: LocalizedText("WhatsApp has banned the account.", "حظر واتساب هذا الحساب."),
    Cause.TERMS: LocalizedText(
        "WhatsApp asks the account to accept its terms of service.", "يطلب واتساب قبول شروط الخدمة لهذا الحساب."
    ),
    Cause.DEPRECATED: LocalizedText(
        "WhatsApp no longer serves this version of its page.", "لم يعد واتساب يدعم هذا الإصدار من صفحته."
    ),
    Cause.PROXY: LocalizedText(
        "WhatsApp refuses the network that this server is in.", "يرفض واتساب الشبكة التي يعمل منها هذا الخادم."
    ),
    Cause.BLOCKED: LocalizedText(
        "WhatsApp refuses this session (terms of service or network).",
        "يرفض واتساب هذه الجلسة (شروط الخدمة أو الشبكة).",
    ),
    Cause.DIALOG: LocalizedText(
        "WhatsApp shows a dialog that a person must answer.", "يعرض واتساب نافذة يجب أن يجيب عنها شخص."
    ),
}


def _bad(case: Case, level: Level, key: str, text: LocalizedText) -> Finding:
    began = case.status.since if case.status else None
    return Finding(level, _value(case), key=key, text=text, began=began)


def _value(case: Case) -> str:
    if case.status is None:
        return case.wish.value
    return safe_text(f"{case.status.state}: {case.status.reason}" if case.status.reason else case.status.state)


def _growing(case: Case, key: str, text: LocalizedText, critical_after: float) -> Finding:
    """A warning that becomes critical when the state lasts."""
    if case.in_state <= critical_after:
        return _bad(case, Level.WARNING, key, text)
    return _bad(case, Level.CRITICAL, f"{key}-long", LONG.fill(what=text, span=duration(case.in_state)))


def _restoring(case: Case) -> Finding:
    waits = case.status is not None and "store" in case.status.reason
    key, text = ("waiting-for-store", WAITING_FOR_STORE) if waits else ("restoring", RESTORING)
    return _growing(case, key, text, case.limits.restoring_critical_seconds)


def _connected(case: Case) -> Finding:
    """What a worker last said is worth nothing when nobody hears that worker."""
    if not case.listening:
        return unknown("last seen connected, the bus is lost")
    if case.owner_alive:
        return healthy(_value(case))
    if case.silence_counts(case.owner.seen_at if case.owner else None):
        return unknown("last seen connected, its worker is silent")
    return _bad(case, Level.WARNING, "not-seen", NOT_SEEN_YET)


def _start_limit(case: Case) -> float:
    return case.limits.session_timeout_seconds * case.limits.slow_start_factor


_BY_STATE: dict[State, Callable[[Case], Finding]] = {
    State.CONNECTED: lambda case: _connected(case),
    State.STARTING: lambda case: _growing(case, "starting", STARTING, _start_limit(case)),
    State.SYNCING: lambda case: _growing(case, "syncing", SYNCING, _start_limit(case)),
    State.RESTORING: _restoring,
    State.PAIRING: lambda case: _bad(case, Level.WARNING, "pairing", PAIRING),
    State.RECONNECTING: lambda case: _growing(
        case, "reconnecting", RECONNECTING, case.limits.reconnecting_critical_seconds
    ),
    State.CONFLICT: lambda case: _bad(case, Level.CRITICAL, "conflict", CONFLICT),
    State.LOGGED_OUT: lambda case: _bad(case, Level.CRITICAL, "logged-out", LOGGED_OUT),
    State.NEEDS_ATTENTION: lambda case: _bad(case, Level.CRITICAL, "needs-attention", NEEDS_ATTENTION),
    State.FAILED: lambda case: _bad(case, Level.CRITICAL, "failed", FAILED),
    State.STOPPED: lambda case: _growing(case, "should-run", SHOULD_RUN, case.limits.unclaimed_critical_seconds),
    State.UNKNOWN: lambda case: _bad(case, Level.WARNING, "strange", STRANGE),
}


def examine_connection(case: Case) -> Finding:
    if not case.should_run:
        return _at_rest(case)
    if case.status is None:
        return _without_status(case)
    if case.cause is not Cause.NONE:
        return _bad(case, Level.CRITICAL, case.cause.value, CAUSES[case.cause])
    return _BY_STATE[case.state](case)


def _at_rest(case: Case) -> Finding:
    if case.wish is Wish.NEVER and not case.listened_long_enough:
        return _bad(case, Level.WARNING, "not-seen", NOT_SEEN_YET)
    if case.status is not None and case.state is not State.STOPPED:
        return _bad(case, Level.WARNING, "stopping", STOPPING.fill(state=safe_text(case.status.state)))
    text = {Wish.NEVER: NEVER_STARTED, Wish.CLEARED: CLEARED}.get(case.wish, STOPPED)
    return _bad(case, Level.WARNING, case.wish.value, text)


def _without_status(case: Case) -> Finding:
    if not case.listened_long_enough:
        return _bad(case, Level.WARNING, "not-seen", NOT_SEEN_YET)
    asked = case.seen.record.requested_at if case.seen.record else case.now
    late = case.age(asked) > case.limits.unclaimed_critical_seconds
    level = Level.CRITICAL if late else Level.WARNING
    return Finding(level, "no status", key="unclaimed", text=UNCLAIMED, began=asked)


SILENT_PAGE = LocalizedText("The page has not answered a probe for {span}.", "لم تُجب الصفحة عن الفحص منذ {span}.")


def examine_probe(case: Case) -> Finding:
    if case.status is None or not case.page_expected:
        return unknown("no page is expected to answer")
    began = case.status.probed_at or case.status.since
    silent = case.age(began)
    limit = f"{duration(case.limits.probe_warning_seconds).en}"
    level = graded(silent, case.limits.probe_warning_seconds, case.limits.probe_critical_seconds)
    if level.bad:
        return Finding(level, duration(silent).en, limit, "silent", SILENT_PAGE.fill(span=duration(silent)), began)
    if case.status.probed_at is None:
        return unknown("not probed yet")
    return healthy(duration(silent).en, limit)


STALE = LocalizedText("The session's status has not been renewed for {span}.", "لم تُحدَّث حالة الجلسة منذ {span}.")


def examine_stale(case: Case) -> Finding:
    seen_at = case.seen.status_seen_at
    if case.status is None or seen_at is None or not case.listening:
        return unknown("no status yet" if case.listening else "the bus is lost")
    if not case.should_run:
        return unknown("no renewal is expected")
    # what went missing while the bus was lost is not the worker's fault
    began = max(seen_at, case.seen.listening_since or seen_at)
    quiet = case.age(began)
    limit = duration(case.limits.stale_warning_seconds).en
    level = graded(quiet, case.limits.stale_warning_seconds, case.limits.stale_critical_seconds)
    if level.bad:
        return Finding(level, duration(quiet).en, limit, "stale", STALE.fill(span=duration(quiet)), began)
    return healthy(duration(quiet).en, limit)


ATTEMPTS = LocalizedText(
    "{attempts} attempts to reconnect; the fast ones end at {limit}.",
    "{attempts} محاولات لإعادة الاتصال؛ تنتهي السريعة منها عند {limit}.",
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
        return Finding(level, str(attempts), str(limit), "attempts", text)
    return healthy(str(attempts), str(limit))


CHECKS = (
    Check(
        "WA-CONNECTION",
        LocalizedText("Connection to WhatsApp", "الاتصال بواتساب"),
        LocalizedText(
            "Connected is healthy. Starting, restoring, pairing, syncing and reconnecting are warnings, critical when "
            "they last too long (waiting for a phone is never critical). Conflict, unlinked, banned, refused, failed "
            "are critical. A session that nobody wants running is a warning at most.",
            "الاتصال حالة سليمة. التشغيل والاستعادة والربط والمزامنة وإعادة الاتصال تحذيرات، وتصبح حرجة إذا طالت "
            "(انتظار الهاتف ليس حرجًا أبدًا). التعارض وإلغاء الربط والحظر والرفض والفشل حالات حرجة. الجلسة التي لا "
            "يُطلب تشغيلها تحذير على الأكثر.",
        ),
        LocalizedText(
            "Follow the recommendation: it differs with the cause. Never reconnect a banned account.",
            "اتبع التوصية فهي تختلف بحسب السبب. لا تُعد الاتصال أبدًا لحساب محظور.",
        ),
        lambda t: (
            f"critical after: reconnecting {duration(t.reconnecting_critical_seconds).en}, starting or syncing "
            f"{duration(t.session_timeout_seconds * t.slow_start_factor).en}, restoring "
            f"{duration(t.restoring_critical_seconds).en}, not taken by a worker "
            f"{duration(t.unclaimed_critical_seconds).en}"
        ),
        examine_connection,
    ),
    Check(
        "WA-PROBE",
        LocalizedText("Page answers", "استجابة الصفحة"),
        LocalizedText(
            "The page has answered a probe lately; silence of messages alone is no fault.",
            "أجابت الصفحة عن فحص حديث؛ غياب الرسائل وحده ليس عطلًا.",
        ),
        LocalizedText(
            "Run a health check; the worker reloads the page and restarts the browser by itself.",
            "شغّل فحص الصحة؛ يعيد العامل تحميل الصفحة وتشغيل المتصفح تلقائيًا.",
        ),
        lambda t: f"warning {duration(t.probe_warning_seconds).en}, critical {duration(t.probe_critical_seconds).en}",
        examine_probe,
    ),
    Check(
        "WA-STALE",
        LocalizedText("Status is fresh", "حداثة الحالة"),
        LocalizedText("The owner renews the session's status.", "يجدّد العامل المالك حالة الجلسة."),
        LocalizedText("Look at the worker: it may hang.", "افحص العامل فقد يكون متوقفًا عن الاستجابة."),
        lambda t: f"warning {duration(t.stale_warning_seconds).en}, critical {duration(t.stale_critical_seconds).en}",
        examine_stale,
    ),
    Check(
        "WA-RECONNECTS",
        LocalizedText("Attempts to reconnect", "محاولات إعادة الاتصال"),
        LocalizedText(
            "Attempts since the last stable connection against MAX_RECONNECT_ATTEMPTS.",
            "عدد المحاولات منذ آخر اتصال مستقر مقارنةً بـ MAX_RECONNECT_ATTEMPTS.",
        ),
        LocalizedText(
            "Nothing is deleted after the last attempt: slow attempts go on. Check the network of the server.",
            "لا يُحذف شيء بعد آخر محاولة، وتستمر المحاولات ببطء. افحص شبكة الخادم.",
        ),
        lambda t: (
            f"warning from {max(1, t.max_reconnect_attempts - 2)}, critical from {max(1, t.max_reconnect_attempts)} "
            "(a warning only while connected)"
        ),
        examine_reconnects,
    ),
)
