"""What the session stands on: a worker, the backup service and its object store, one owner, the disk, NATS."""

from __future__ import annotations

from datetime import datetime

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, megabytes, safe_text
from health.domain.recommendations import Rule, Urgency
from health.domain.samples import NatsSample
from shared.contracts.sessions import State
from shared.contracts.units import MEGABYTE

WORKER = CheckCode("WA-WORKER")
STORE = CheckCode("WA-STORE")
OWNERS = CheckCode("WA-OWNERS")
DISK = CheckCode("WA-DISK")
NATS = CheckCode("WA-NATS")

NO_WORKER = Problem(
    "no_worker",
    LocalizedText("No browser worker answers. No session can run.", "لا يستجيب أي مشغّل. لا يمكن تشغيل أي جلسة."),
)
SILENT_OWNER = Problem(
    "silent_owner",
    LocalizedText(
        "The worker that owns the session is silent. Another worker should take over.",
        "المشغّل المسؤول عن الجلسة لا يستجيب. يجب أن يتولاها مشغّل آخر.",
    ),
)
NO_CAPACITY = Problem(
    "no_capacity",
    LocalizedText(
        "No worker has taken the session, and no worker has capacity for another one.",
        "لم يتولَّ أي مشغّل الجلسة، ولا يتسع أي مشغّل لجلسة أخرى.",
    ),
)


def examine_worker(case: Case) -> Finding:
    limit = duration(case.limits.worker_silent_seconds).en
    if not case.listening:
        return unknown("the bus is lost")
    if not case.live_workers:
        return _no_worker(case, limit)
    owned = case.should_run and case.status is not None and case.state is not State.STOPPED
    if owned and not case.owner_alive:
        return _silent_owner(case, limit)
    if case.should_run and not owned and all(w.free_capacity <= 0 for w in case.live_workers):
        return Finding(Level.WARNING, "no capacity", "1 session", NO_CAPACITY)
    return healthy(f"{len(case.live_workers)} alive", limit)


def _no_worker(case: Case, limit: str) -> Finding:
    heard = max((w.seen_at for w in case.seen.workers), default=None)
    if not case.silence_counts(heard):
        return unknown("not heard yet")
    began = heard or case.seen.listening_since
    return Finding(Level.CRITICAL, "0 alive", limit, NO_WORKER, began)


def _silent_owner(case: Case, limit: str) -> Finding:
    heard = case.owner.seen_at if case.owner else None
    if not case.silence_counts(heard):
        return unknown("not heard yet")
    began = heard or case.seen.listening_since or case.now
    silent = case.age(began)
    level = Level.CRITICAL if silent > case.limits.takeover_seconds else Level.WARNING
    return Finding(level, f"owner silent {duration(silent).en}", limit, SILENT_OWNER, began)


NO_BACKUP_SERVICE = Problem(
    "no_backup_service",
    LocalizedText(
        "The backup service does not answer. No backups are made.",
        "لا تستجيب خدمة النسخ الاحتياطي. لا تُنشأ أي نسخ احتياطية.",
    ),
)
STORE_DOWN = Problem(
    "store_down", LocalizedText("The backup storage cannot be used.", "لا يمكن استخدام مخزن النسخ الاحتياطية.")
)


def examine_backup_service(case: Case) -> Finding:
    if not case.listening:
        return unknown("the bus is lost")
    live = case.live_backup_replicas
    if any(replica.store_ok for replica in live):
        return healthy("answers")
    if live:
        down_since = max(replica.store_down_since or replica.seen_at for replica in live)
        said = next((safe_text(replica.store_error) for replica in live if replica.store_error), "")
        return _no_backups(case, STORE_DOWN, said or "store down", down_since)
    known = case.seen.backup_replicas
    if not case.silence_counts(max((replica.seen_at for replica in known), default=None)):
        return unknown("not heard yet")
    began = max((r.store_down_since or r.seen_at for r in known), default=case.seen.listening_since)
    return _no_backups(case, NO_BACKUP_SERVICE, "0 alive", began or case.now)


def _no_backups(case: Case, problem: Problem, value: str, began: datetime) -> Finding:
    """Critical when this lasts, and at once where a restore waits for a backup."""
    long = case.age(began) > case.limits.store_down_critical_seconds
    level = Level.CRITICAL if long or case.state is State.RESTORING else Level.WARNING
    return Finding(level, value, duration(case.limits.backup_silent_seconds).en, problem, began)


TWO_OWNERS = Problem(
    "two_owners",
    LocalizedText(
        "Two workers act as the session's owner at the same time.", "يتصرف مشغّلان كمسؤولَين عن الجلسة في الوقت نفسه."
    ),
)
LATE_OWNER = Problem(
    "late_owner",
    LocalizedText("A worker that had lost the session still reported on it.", "أبلغ مشغّل عن الجلسة بعد أن فقدها."),
)
MANY_TAKEOVERS = Problem(
    "many_takeovers",
    LocalizedText(
        "The session has changed its owner {count} times within {duration}.",
        "عدد انتقالات الجلسة بين المشغّلات خلال {duration}: {count}.",
    ),
)


def examine_owners(case: Case) -> Finding:
    if case.seen.status is None and not case.seen.workers and not case.seen.duplicate_owners:
        return unknown("no owner yet")
    window = case.limits.takeover_window_seconds
    recent = [duplicate for duplicate in case.seen.duplicate_owners if case.age(duplicate.seen_at) <= window]
    twice = [duplicate.seen_at for duplicate in recent if duplicate.same_epoch]
    if twice or _held_twice(case):
        began = min(twice, default=None)
        return Finding(Level.CRITICAL, "2 owners", "1 owner", TWO_OWNERS, began)
    takeovers = sum(case.age(at) <= window for at in case.seen.takeovers)
    allowed = case.limits.takeovers_allowed
    level = graded(takeovers, allowed, 2 * allowed)
    if level is not Level.CRITICAL and recent:
        began = min(duplicate.seen_at for duplicate in recent)
        return Finding(Level.WARNING, "a late owner", "1 owner", LATE_OWNER, began)
    value, limit = f"{takeovers} takeovers", f"{allowed} takeovers"
    if level.bad:
        problem = MANY_TAKEOVERS.fill(count=takeovers, duration=duration(window))
        return Finding(level, value, limit, problem)
    return healthy(value, limit)


def _held_twice(case: Case) -> bool:
    """Whether two live workers name the session, and both have done so for longer than a handover takes."""
    holds = sorted(w.holding_since for w in case.live_workers if w.holding_since is not None)
    return len(holds) > 1 and case.age(holds[1]) > case.limits.worker_silent_seconds


LITTLE_DISK = Problem(
    "little_disk",
    LocalizedText(
        "The worker's disk has {size} left. Snapshots and saves need space.",
        "بقي في قرص المشغّل {size}. تحتاج اللقطات والحفظ المحلي إلى مساحة.",
    ),
)


def examine_disk(case: Case) -> Finding:
    samples = (case.owner,) if case.owner else case.seen.workers
    if not case.listening or not samples:
        return unknown("no worker has reported")
    free = min(w.disk_free_bytes for w in samples)
    warning, critical = case.limits.disk_warning_mb * MEGABYTE, case.limits.disk_critical_mb * MEGABYTE
    level = graded(-free, -warning, -critical)
    value, limit = f"{megabytes(free).en} free", megabytes(warning).en
    if level.bad:
        return Finding(level, value, limit, LITTLE_DISK.fill(size=megabytes(free)))
    return healthy(value, limit)


BUS_LOST = Problem(
    "bus_lost",
    LocalizedText(
        "The health service has lost NATS. Its information is out of date.",
        "فقدت خدمة الصحة الاتصال بـ NATS. معلوماتها قديمة.",
    ),
)
MONITOR_SILENT = Problem(
    "monitor_silent", LocalizedText("NATS does not answer questions about itself.", "لا يجيب NATS عن الأسئلة عن حالته.")
)
NO_JETSTREAM = Problem(
    "no_jetstream",
    LocalizedText("NATS runs without JetStream. Nothing is stored.", "يعمل NATS دون JetStream. لا تُحفظ أي بيانات."),
)
JETSTREAM_FULL = Problem(
    "jetstream_full",
    LocalizedText("JetStream has used {percent} % of its storage.", "استهلك JetStream {percent} % من مساحته."),
)
SLOW_CONSUMERS = Problem(
    "slow_consumers",
    LocalizedText(
        "NATS has cut off {count} clients that read too slowly.",
        "قطع NATS الاتصال عن عملاء بطيئين في القراءة، وعددهم {count}.",
    ),
)


def examine_nats(case: Case) -> Finding:
    if not case.listening:
        return Finding(Level.CRITICAL, "lost", "connected", BUS_LOST)
    return healthy("connected") if case.seen.nats is None else _monitored(case, case.seen.nats)


def _monitored(case: Case, nats: NatsSample) -> Finding:
    if not nats.reachable:
        return Finding(Level.WARNING, "no answer", "answers", MONITOR_SILENT)
    if not nats.jetstream:
        return Finding(Level.CRITICAL, "no JetStream", "JetStream", NO_JETSTREAM)
    share = nats.storage_bytes / nats.storage_limit_bytes if nats.storage_limit_bytes > 0 else 0.0
    limit = case.limits.jetstream_used_warning
    if share > limit:
        level = Level.CRITICAL if share > (1 + limit) / 2 else Level.WARNING
        problem = JETSTREAM_FULL.fill(percent=round(share * 100))
        return Finding(level, f"{share:.0%} used", f"{limit:.0%}", problem)
    if nats.new_slow_consumers > 0:
        problem = SLOW_CONSUMERS.fill(count=nats.new_slow_consumers)
        return Finding(Level.WARNING, f"{nats.new_slow_consumers} slow", "0 slow", problem)
    return healthy(f"{nats.connections} connections")


CHECKS = (
    Check(
        WORKER,
        LocalizedText("Browser worker", "مشغّل المتصفح"),
        LocalizedText(
            "A worker is alive, the session's owner above all, and has capacity for the session.",
            "يوجد مشغّل يعمل، وخصوصًا المسؤول عن الجلسة، ويتسع للجلسة.",
        ),
        LocalizedText(
            "Start a worker, or read the log of the worker that stopped.",
            "ابدأ تشغيل مشغّل، أو راجع سجل المشغّل المتوقف.",
        ),
        lambda t: (
            f"critical when no worker was heard for {duration(t.worker_silent_seconds).en}; owner silent: warning, "
            f"critical after {duration(t.takeover_seconds).en}; no capacity: warning"
        ),
        examine_worker,
    ),
    Check(
        STORE,
        LocalizedText("Backup service and storage", "خدمة النسخ الاحتياطي ومخزنها"),
        LocalizedText(
            "A backup replica is alive and can use its storage. Critical at once if a restore waits for it.",
            "توجد خدمة نسخ احتياطي تعمل وتستطيع استخدام مخزنها. حرج فورًا إذا كانت استعادة تنتظرها.",
        ),
        LocalizedText(
            "Check S3_ENDPOINT, the bucket and its keys, and whether the backup service runs.",
            "افحص S3_ENDPOINT والحاوية ومفاتيحها، وتأكد من أن خدمة النسخ الاحتياطي تعمل.",
        ),
        lambda t: (
            f"warning when not heard for {duration(t.backup_silent_seconds).en} or the storage is down, critical after "
            f"{duration(t.store_down_critical_seconds).en}"
        ),
        examine_backup_service,
    ),
    Check(
        OWNERS,
        LocalizedText("One owner", "مسؤول واحد"),
        LocalizedText(
            "Two workers never run one session. Signs of it: one epoch from two workers, two holders, a late owner, "
            "many takeovers.",
            "لا يشغّل مشغّلان جلسة واحدة أبدًا. علامات ذلك: الحقبة نفسها من مشغّلَين، أو حائزان للجلسة، أو تقرير متأخر من "
            "مشغّل سابق، أو انتقالات كثيرة.",
        ),
        LocalizedText(
            "Stop whatever runs twice, including an old system on the same profile. If there are many takeovers, check "
            "the network.",
            "أوقف كل ما يعمل مرتين، ومنه أي نظام قديم على ملف الجلسة نفسه. إذا كثرت الانتقالات فافحص الشبكة.",
        ),
        lambda t: (
            f"two owners: critical; late owner: warning; more than {t.takeovers_allowed} takeovers in "
            f"{duration(t.takeover_window_seconds).en}: warning, more than {2 * t.takeovers_allowed}: critical"
        ),
        examine_owners,
        critical_at_rest=True,
    ),
    Check(
        DISK,
        LocalizedText("Free disk space", "مساحة القرص المتاحة"),
        LocalizedText("The free space on the worker's disk.", "المساحة المتاحة في قرص المشغّل."),
        LocalizedText("Free up space or enlarge the volume.", "أفرغ مساحة أو كبّر القرص."),
        lambda t: f"warning under {t.disk_warning_mb} MB, critical under {t.disk_critical_mb} MB",
        examine_disk,
    ),
    Check(
        NATS,
        LocalizedText("Message bus", "ناقل الرسائل"),
        LocalizedText(
            "NATS is reachable. With NATS_MONITOR_NKEY_SEED the check also covers JetStream, its storage and slow "
            "clients.",
            "يمكن الوصول إلى NATS. مع NATS_MONITOR_NKEY_SEED يشمل الفحص أيضًا JetStream ومساحته والعملاء البطيئين.",
        ),
        LocalizedText(
            "Check the NATS server. Everything continues automatically when NATS is back.",
            "افحص خادم NATS. يستمر كل شيء تلقائيًا عند عودته.",
        ),
        lambda t: f"lost: critical; storage above {t.jetstream_used_warning:.0%}, slow clients: warning",
        examine_nats,
        critical_at_rest=True,
    ),
)

RULES = (
    Rule(
        "one-owner",
        Urgency.FOUNDATION,
        (OWNERS,),
        None,
        LocalizedText(
            "Stop every other system that uses this session. Two systems at once can lose its login.",
            "أوقف كل نظام آخر يستخدم هذه الجلسة. تشغيل نظامين معًا قد يُفقدها تسجيل الدخول.",
        ),
        lambda found: found.bad(OWNERS),
    ),
    Rule(
        "mend-bus",
        Urgency.FOUNDATION,
        (NATS,),
        None,
        LocalizedText(
            "Check the NATS server. Everything continues automatically when NATS is back.",
            "افحص خادم NATS. يستمر كل شيء تلقائيًا عند عودته.",
        ),
        lambda found: found.bad(NATS),
    ),
    Rule(
        "mend-worker",
        Urgency.FOUNDATION,
        (WORKER,),
        None,
        LocalizedText(
            "Start or add a browser worker, and read its log.", "ابدأ تشغيل مشغّل متصفح أو أضف آخر، وراجع سجله."
        ),
        lambda found: found.bad(WORKER),
    ),
    Rule(
        "mend-store",
        Urgency.FOUNDATION,
        (STORE,),
        None,
        LocalizedText(
            "Check the backup service, the address of its S3 storage and the keys.",
            "افحص خدمة النسخ الاحتياطي وعنوان مخزن S3 ومفاتيحه.",
        ),
        lambda found: found.bad(STORE),
    ),
    Rule(
        "more-disk",
        Urgency.RESOURCE,
        (DISK,),
        None,
        LocalizedText("Free up space on the worker's disk or enlarge it.", "أفرغ مساحة في قرص المشغّل أو كبّره."),
        lambda found: found.bad(DISK),
    ),
)
