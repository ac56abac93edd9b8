"""What others do to the object store: backups that went without retention, control records that do not count.

Both are found by the backup service and told as events, so they stay issues for a while after they were seen last.
"""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level
from health.domain.localized_text import LocalizedText, duration, safe_text
from health.domain.recommendations import Rule, Urgency

LOSS = CheckCode("WA-LOSS")
RECORDS = CheckCode("WA-RECORDS")

LOST_BACKUPS = Problem(
    "lost_backups",
    LocalizedText(
        "Backups went from the storage, and the system did not remove them: {count} lost, {left} left.",
        "اختفت نسخ احتياطية من المخزن دون أن يحذفها النظام. المفقود: {count}، المتبقي: {left}.",
    ),
)


def examine_loss(case: Case) -> Finding:
    lost = case.seen.lost_backups
    if lost is None or case.age(lost.seen_at) > case.limits.intrusion_seconds:
        return unknown(case.old_listing) if case.old_listing else healthy("0 lost")
    problem = LOST_BACKUPS.fill(count=lost.count, left=lost.left)
    value = f"{lost.count} lost, {lost.left} left, {duration(case.age(lost.seen_at)).en} ago"
    return Finding(Level.CRITICAL, value, "0 lost", problem, lost.seen_at)


REJECTED_HEAD = Problem(
    "rejected_head",
    LocalizedText(
        "The storage held a record of the session's owner that this system did not write there ({fault}). The record "
        "was made anew.",
        "احتوى المخزن على سجل لمالك الجلسة لم يكتبه هذا النظام في مكانه ({fault}). أُنشئ السجل من جديد.",
    ),
)
REJECTED_TOMBSTONE = Problem(
    "rejected_tombstone",
    LocalizedText(
        "The storage holds a record of a clear that this system did not write there ({fault}). It clears nothing; a "
        "restore asks a person.",
        "يحتوي المخزن على سجل حذف لم يكتبه هذا النظام في مكانه ({fault}). لا يُحذف بسببه شيء، وتتطلب الاستعادة قرار "
        "شخص.",
    ),
)


def examine_records(case: Case) -> Finding:
    recent = [each for each in case.seen.rejected_records if case.age(each.seen_at) <= case.limits.intrusion_seconds]
    if not recent:
        return unknown(case.old_listing) if case.old_listing else healthy("0 rejected")
    worst = max(recent, key=lambda each: (each.record == "tombstone", each.seen_at))
    tombstone = worst.record == "tombstone"
    fault = safe_text(worst.fault)
    value = f"{safe_text(worst.record)} {fault}, {duration(case.age(worst.seen_at)).en} ago"
    problem = (REJECTED_TOMBSTONE if tombstone else REJECTED_HEAD).fill(fault=fault)
    return Finding(Level.CRITICAL if tombstone else Level.WARNING, value, "0 rejected", problem)


CHECKS = (
    Check(
        LOSS,
        LocalizedText("No backup was lost", "عدم فقدان نسخ احتياطية"),
        LocalizedText(
            "Only retention and a clear remove backups. The backup service compares what the storage shows with what "
            "it showed before.",
            "لا يحذف النسخ إلا نظام الاحتفاظ أو حذف الجلسة. تقارن خدمة النسخ الاحتياطي ما يعرضه المخزن بما عرضه من "
            "قبل.",
        ),
        LocalizedText(
            "Find out who can write to the storage, and change its keys. New backups are made automatically.",
            "تحقق ممن يستطيع الكتابة في المخزن، وغيّر مفاتيحه. تُنشأ نسخ جديدة تلقائيًا.",
        ),
        lambda t: f"critical for {duration(t.intrusion_seconds).en} after any was lost",
        examine_loss,
    ),
    Check(
        RECORDS,
        LocalizedText("Records in the storage are ours", "السجلات في المخزن من هذا النظام"),
        LocalizedText(
            "The records of the owner and of a clear carry a signature that only the backup service can make. A "
            "forged, foreign, swapped or older one does not count.",
            "يحمل سجل المالك وسجل الحذف توقيعًا لا تصنعه إلا خدمة النسخ الاحتياطي. السجل المزوَّر أو الغريب أو المبدَّل أو "
            "الأقدم لا يُعتد به.",
        ),
        LocalizedText(
            "Find out who can write to the storage, and change its keys. After a change of MASTER_KEY, set "
            "MASTER_KEY_PREVIOUS.",
            "تحقق ممن يستطيع الكتابة في المخزن، وغيّر مفاتيحه. بعد تغيير MASTER_KEY اضبط MASTER_KEY_PREVIOUS.",
        ),
        lambda t: (
            f"for {duration(t.intrusion_seconds).en} after the last: owner's record warning, record of a clear critical"
        ),
        examine_records,
    ),
)

RULES = (
    Rule(
        "close-store",
        Urgency.FOUNDATION,
        (LOSS, RECORDS),
        None,
        LocalizedText(
            "Something else than this system changes the backup storage. Find out who can write to it, and change its "
            "keys.",
            "شيء آخر غير هذا النظام يغيّر مخزن النسخ الاحتياطية. تحقق ممن يستطيع الكتابة فيه، وغيّر مفاتيحه.",
        ),
        lambda found: found.bad(LOSS) or found.bad(RECORDS),
    ),
)
