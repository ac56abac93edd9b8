"""What the session stands on: a worker, the backup service and its store, one owner, the disk, NATS."""

from __future__ import annotations

from datetime import datetime

from health.domain.case import Case
from health.domain.finding import Check, Finding, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, megabytes, safe_text
from health.domain.samples import NatsSample
from shared.contracts.sessions import State
from shared.contracts.units import MEGABYTE

NO_WORKER = LocalizedText(
    "No browser worker answers; no session can run.", "لا يستجيب أي عامل متصفح؛ لا يمكن تشغيل أي جلسة."
)
OWNER_SILENT = LocalizedText(
    "The worker that holds the session has fallen silent; another should take over.",
    "توقف العامل الذي يملك الجلسة عن الاستجابة؛ ينبغي أن يتولاها عامل آخر.",
)
NO_ROOM = LocalizedText(
    "No worker has taken the session, and none has room for one more.",
    "لم يتولَّ أي عامل الجلسة، وليس لدى أي عامل مكان لجلسة أخرى.",
)


def examine_worker(case: Case) -> Finding:
    limit = duration(case.limits.worker_silent_seconds).en
    if not case.listening:
        return unknown("the bus is lost")
    if not case.live_workers:
        return _no_worker(case, limit)
    owned = case.should_run and case.status is not None and case.state is not State.STOPPED
    if owned and not case.owner_alive:
        return _owner_silent(case, limit)
    if case.should_run and not owned and all(w.free_capacity <= 0 for w in case.live_workers):
        return Finding(Level.WARNING, "no room", "1 place", "no-room", NO_ROOM)
    return healthy(f"{len(case.live_workers)} alive", limit)


def _no_worker(case: Case, limit: str) -> Finding:
    heard = max((w.seen_at for w in case.seen.workers), default=None)
    if not case.silence_counts(heard):
        return unknown("not heard yet")
    began = heard or case.seen.listening_since
    return Finding(Level.CRITICAL, "0 alive", limit, "none", NO_WORKER, began)


def _owner_silent(case: Case, limit: str) -> Finding:
    heard = case.owner.seen_at if case.owner else None
    if not case.silence_counts(heard):
        return unknown("not heard yet")
    began = heard or case.seen.listening_since or case.now
    silent = case.age(began)
    level = Level.CRITICAL if silent > case.limits.takeover_seconds else Level.WARNING
    return Finding(level, f"owner silent {duration(silent).en}", limit, "owner", OWNER_SILENT, began)


NO_BACKUP_SERVICE = LocalizedText(
    "The backup service does not answer; no backups are made.",
    "لا تستجيب خدمة النسخ الاحتياطي؛ لا تُنشأ نسخ احتياطية.",
)
STORE_DOWN = LocalizedText("The backup storage cannot be used.", "لا يمكن استخدام مخزن النسخ الاحتياطية.")


def examine_backup_service(case: Case) -> Finding:
    if not case.listening:
        return unknown("the bus is lost")
    if any(s.store_ok for s in case.live_backup_replicas):
        return healthy("answers")
    if case.live_backup_replicas:
        down_since = max(s.store_down_since or s.seen_at for s in case.live_backup_replicas)
        said = next((safe_text(s.store_error) for s in case.live_backup_replicas if s.store_error), "")
        return _store_finding(case, "store", STORE_DOWN, said or "store down", down_since)
    if not case.silence_counts(max((s.seen_at for s in case.seen.backup_replicas), default=None)):
        return unknown("not heard yet")
    began = max((s.store_down_since or s.seen_at for s in case.seen.backup_replicas), default=case.seen.listening_since)
    return _store_finding(case, "service", NO_BACKUP_SERVICE, "0 alive", began or case.now)


def _store_finding(case: Case, key: str, text: LocalizedText, value: str, began: datetime) -> Finding:
    waits_for_it = case.state is State.RESTORING
    long = case.age(began) > case.limits.store_down_critical_seconds
    level = Level.CRITICAL if long or waits_for_it else Level.WARNING
    return Finding(level, value, duration(case.limits.store_silent_seconds).en, key, text, began)


TWO_OWNERS = LocalizedText(
    "Two workers act as the session's owner at once.", "عاملان يتصرفان كمالكَين للجلسة في الوقت نفسه."
)
LATE_OWNER = LocalizedText(
    "A worker that had lost the session still reported on it.", "عامل فقد الجلسة ما زال يرسل حالتها."
)
FLAPPING = LocalizedText(
    "The session has changed hands {count} times within {span}.", "انتقلت الجلسة بين العمال {count} مرات خلال {span}."
)


def examine_owners(case: Case) -> Finding:
    if case.seen.status is None and not case.seen.workers and not case.seen.duplicate_owners:
        return unknown("no owner yet")
    recent = [u for u in case.seen.duplicate_owners if case.age(u.seen_at) <= case.limits.takeover_window_seconds]
    twice = [u.seen_at for u in recent if u.same_epoch]
    if twice or _held_twice(case):
        began = min(twice, default=None)
        return Finding(Level.CRITICAL, "2 owners", "1 owner", "two", TWO_OWNERS, began)
    takeovers = sum(case.age(at) <= case.limits.takeover_window_seconds for at in case.seen.takeovers)
    allowed = case.limits.takeovers_allowed
    level = graded(takeovers, allowed, 2 * allowed)
    if level is not Level.CRITICAL and recent:
        return Finding(Level.WARNING, "a late owner", "1 owner", "late", LATE_OWNER, min(u.seen_at for u in recent))
    if level.bad:
        text = FLAPPING.fill(count=takeovers, span=duration(case.limits.takeover_window_seconds))
        return Finding(level, f"{takeovers} takeovers", f"{allowed} takeovers", "flapping", text)
    return healthy(f"{takeovers} takeovers", f"{allowed} takeovers")


def _held_twice(case: Case) -> bool:
    """Two live workers name the session, and both have done so for longer than a handover takes."""
    holds = sorted(w.holding_since for w in case.live_workers if w.holding_since is not None)
    return len(holds) > 1 and case.age(holds[1]) > case.limits.worker_silent_seconds


LITTLE_DISK = LocalizedText(
    "The worker's disk has {size} left; snapshots and saves need room.",
    "بقي في قرص العامل {size}؛ تحتاج اللقطات والحفظ إلى مساحة.",
)


def examine_disk(case: Case) -> Finding:
    samples = (case.owner,) if case.owner else case.seen.workers
    if not case.listening or not samples:
        return unknown("no worker has told")
    free = min(w.disk_free_bytes for w in samples)
    warning, critical = case.limits.disk_warning_mb * MEGABYTE, case.limits.disk_critical_mb * MEGABYTE
    level = graded(-free, -warning, -critical)
    if level.bad:
        return Finding(
            level, f"{megabytes(free).en} free", megabytes(warning).en, "disk", LITTLE_DISK.fill(size=megabytes(free))
        )
    return healthy(f"{megabytes(free).en} free", megabytes(warning).en)


BUS_LOST = LocalizedText(
    "The health service has lost NATS; what it says is from before.",
    "فقدت خدمة الصحة الاتصال بـ NATS؛ معلوماتها سابقة لذلك.",
)
MONITOR_SILENT = LocalizedText("The monitoring page of NATS does not answer.", "لا تستجيب صفحة مراقبة NATS.")
NO_JETSTREAM = LocalizedText("NATS runs without JetStream; nothing is kept.", "يعمل NATS دون JetStream؛ لا يُحفظ شيء.")
SLOW_CONSUMERS = LocalizedText(
    "NATS has cut off {count} clients that read too slowly.", "قطع NATS الاتصال عن {count} من العملاء البطيئين."
)
JETSTREAM_FULL = LocalizedText(
    "JetStream has used {percent} % of its storage.", "استهلك JetStream {percent} % من مساحته."
)


def examine_nats(case: Case) -> Finding:
    if not case.listening:
        return Finding(Level.CRITICAL, "lost", "connected", "lost", BUS_LOST)
    return healthy("connected") if case.seen.nats is None else _monitored(case, case.seen.nats)


def _monitored(case: Case, nats: NatsSample) -> Finding:
    if not nats.reachable:
        return Finding(Level.WARNING, "no answer", "answers", "monitor", MONITOR_SILENT)
    if not nats.jetstream:
        return Finding(Level.CRITICAL, "no JetStream", "JetStream", "jetstream", NO_JETSTREAM)
    share = nats.storage_bytes / nats.storage_limit_bytes if nats.storage_limit_bytes > 0 else 0.0
    limit = case.limits.jetstream_used_warning
    if share > limit:
        full = Level.CRITICAL if share > (1 + limit) / 2 else Level.WARNING
        text = JETSTREAM_FULL.fill(percent=round(share * 100))
        return Finding(full, f"{share:.0%} used", f"{limit:.0%}", "full", text)
    if nats.new_slow_consumers > 0:
        text = SLOW_CONSUMERS.fill(count=nats.new_slow_consumers)
        return Finding(Level.WARNING, f"{nats.new_slow_consumers} slow", "0 slow", "slow", text)
    return healthy(f"{nats.connections} connections")


CHECKS = (
    Check(
        "WA-WORKER",
        LocalizedText("Browser worker", "عامل المتصفح"),
        LocalizedText(
            "A worker is alive, the one that holds the session above all, and one has room for it.",
            "يوجد عامل حيّ، وأولهم مالك الجلسة، ولدى أحدهم مكان لها.",
        ),
        LocalizedText(
            "Start a worker, or look at the log of the one that stopped.",
            "شغّل عاملًا، أو راجع سجل العامل الذي توقف.",
        ),
        lambda t: (
            f"critical when none was heard for {duration(t.worker_silent_seconds).en}; owner silent: warning, critical "
            f"after {duration(t.takeover_seconds).en}; no room: warning"
        ),
        examine_worker,
    ),
    Check(
        "WA-STORE",
        LocalizedText("Backup service and storage", "خدمة النسخ الاحتياطي ومخزنها"),
        LocalizedText(
            "A backup replica is alive and can use its storage. Critical at once where a restore waits for it.",
            "خدمة نسخ احتياطي حيّة وتستطيع استخدام مخزنها. حرج فورًا إذا كانت استعادة تنتظره.",
        ),
        LocalizedText(
            "Check S3_ENDPOINT, the bucket and its keys, and that the backup service runs.",
            "افحص S3_ENDPOINT والحاوية ومفاتيحها، وأن خدمة النسخ الاحتياطي تعمل.",
        ),
        lambda t: (
            f"warning when not heard for {duration(t.store_silent_seconds).en} or the store is down, critical after "
            f"{duration(t.store_down_critical_seconds).en}"
        ),
        examine_backup_service,
    ),
    Check(
        "WA-OWNERS",
        LocalizedText("One owner", "مالك واحد"),
        LocalizedText(
            "Never two workers on one session: same epoch twice, two holders, a late owner, many takeovers.",
            "لا يعمل عاملان على جلسة واحدة أبدًا: الحقبة نفسها مرتين، مالكان، مالك متأخر، انتقالات كثيرة.",
        ),
        LocalizedText(
            "Stop what runs twice (an old system on the same profile too). Many takeovers: check the network.",
            "أوقف ما يعمل مرتين (ومنه نظام قديم على الملف نفسه). إذا كثرت الانتقالات فافحص الشبكة.",
        ),
        lambda t: (
            f"two owners: critical; late owner: warning; more than {t.takeovers_allowed} takeovers in "
            f"{duration(t.takeover_window_seconds).en}: warning, more than {2 * t.takeovers_allowed}: critical"
        ),
        examine_owners,
        critical_at_rest=True,
    ),
    Check(
        "WA-DISK",
        LocalizedText("Free disk space", "مساحة القرص الحرة"),
        LocalizedText("Free space of the worker's disk.", "المساحة الحرة في قرص العامل."),
        LocalizedText("Free space or enlarge the volume.", "أفرغ مساحة أو كبّر القرص."),
        lambda t: f"warning under {t.disk_warning_mb} MB, critical under {t.disk_critical_mb} MB",
        examine_disk,
    ),
    Check(
        "WA-NATS",
        LocalizedText("Message bus", "ناقل الرسائل"),
        LocalizedText(
            "NATS is reached; with NATS_MONITOR_URL also JetStream, its storage and slow clients.",
            "NATS متاح؛ ومع NATS_MONITOR_URL أيضًا JetStream ومساحته والعملاء البطيئون.",
        ),
        LocalizedText(
            "Look at the NATS server; everything goes on by itself when it is back.",
            "افحص خادم NATS؛ يستمر كل شيء تلقائيًا عند عودته.",
        ),
        lambda t: f"lost: critical; storage above {t.jetstream_used_warning:.0%}, slow clients: warning",
        examine_nats,
        critical_at_rest=True,
    ),
)
