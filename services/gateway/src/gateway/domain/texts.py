"""Every text of the page in English and Arabic, by key, and the choice between the two languages.

The page's script gets the same table. Keys: `state.*` and `about.*` for states, `reason.*` for the worker's reasons,
`action.*` and `done.*` for actions and their results, `error.*` for error codes. Tests check that both languages are
complete, and that every state, reason and action has its texts.
"""

from __future__ import annotations

LANGUAGES = ("en", "ar")

_TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Persistent Session", "الجلسة الدائمة"),
    "tagline": ("A WhatsApp session that stays", "جلسة واتساب تبقى متصلة"),
    "skip": ("Skip to content", "تجاوز إلى المحتوى"),
    "language.other": ("العربية", "English"),
    "logout": ("Log out", "تسجيل الخروج"),
    "session": ("Session", "الجلسة"),
    "noscript": ("This page needs JavaScript.", "تحتاج هذه الصفحة إلى تفعيل جافاسكريبت."),
    # login
    "login.title": ("Log in", "تسجيل الدخول"),
    "login.about": (
        "Enter the API key of this system. The first start prints it, unless API_KEY sets it.",
        "أدخل مفتاح الدخول إلى هذا النظام. يُعرض المفتاح عند أول تشغيل، ما لم يُضبط في المتغير API_KEY.",
    ),
    "login.key": ("API key", "مفتاح الدخول"),
    "login.show": ("Show", "إظهار"),
    "login.hide": ("Hide", "إخفاء"),
    "login.submit": ("Log in", "دخول"),
    "login.working": ("Checking…", "جارٍ التحقق…"),
    "login.unknown": (
        "Your login cannot be checked at the moment, because the message bus cannot be reached. Wait and reload, or "
        "enter the key.",
        "لا يمكن التحقق من تسجيل دخولك الآن لتعذّر الوصول إلى ناقل الرسائل. انتظر وأعد تحميل الصفحة، أو أدخل المفتاح.",
    ),
    # logins
    "logins.title": ("Logins", "عمليات تسجيل الدخول"),
    "logins.show": ("Show where you are logged in", "عرض الأماكن التي سجّلت الدخول منها"),
    "logins.current": ("this browser", "هذا المتصفح"),
    "logins.unknown": ("Unknown browser", "متصفح غير معروف"),
    "logins.since": ("logged in {time}", "تسجيل الدخول {time}"),
    "logins.used": ("used {time}", "آخر استخدام {time}"),
    "logins.end": ("End", "إنهاء"),
    "logins.endAll": ("Log out everywhere", "تسجيل الخروج من كل مكان"),
    "logins.ended": ("The login has ended.", "انتهى تسجيل الدخول."),
    # live mark
    "live.live": ("Live", "مباشر"),
    "live.polling": ("Every few seconds", "كل بضع ثوانٍ"),
    "live.lost": ("No connection to the server", "انقطع الاتصال بالخادم"),
    "live.connecting": ("Connecting…", "جارٍ الاتصال…"),
    # states
    "state.stopped": ("Stopped", "متوقفة"),
    "state.starting": ("Starting", "قيد التشغيل"),
    "state.restoring": ("Restoring", "قيد الاستعادة"),
    "state.pairing": ("Waiting for a phone", "بانتظار ربط الهاتف"),
    "state.syncing": ("Loading chats", "جارٍ تحميل المحادثات"),
    "state.connected": ("Connected", "متصلة"),
    "state.reconnecting": ("Reconnecting", "جارٍ إعادة الاتصال"),
    "state.conflict": ("Open elsewhere", "مفتوحة في مكان آخر"),
    "state.logged_out": ("Unlinked", "أُلغي الربط"),
    "state.needs_attention": ("Needs attention", "تحتاج إلى تدخلك"),
    "state.failed": ("Failed", "تعذّر التشغيل"),
    "state.unknown": ("Unknown", "غير معروفة"),
    "state.gone": ("Worker not responding", "المشغّل لا يستجيب"),
    "about.stopped": (
        "The session is not running. Press Initialize to start it.",
        "الجلسة لا تعمل. اضغط «تهيئة الجلسة» لتشغيلها.",
    ),
    "about.starting": ("The browser is starting.", "المتصفح قيد التشغيل."),
    "about.restoring": ("A good copy of the session is being restored.", "تجري الآن استعادة نسخة سليمة من الجلسة."),
    "about.pairing": ("Scan the QR code with the phone to link it.", "امسح رمز QR بالهاتف لربطه."),
    "about.syncing": (
        "The phone is linked; WhatsApp is loading the account.",
        "تم ربط الهاتف، ويجري تحميل بيانات الحساب من واتساب.",
    ),
    "about.connected": ("Messages can be sent.", "يمكن إرسال الرسائل الآن."),
    "about.reconnecting": (
        "The connection was lost. The session reconnects automatically.",
        "انقطع الاتصال. تعيد الجلسة الاتصال تلقائيًا.",
    ),
    "about.conflict": ("WhatsApp Web is open elsewhere with this login.", "واتساب ويب مفتوح بهذا الحساب في مكان آخر."),
    "about.logged_out": (
        "The phone has unlinked this device. Press Initialize to link it again.",
        "أُلغي ربط هذا الجهاز من الهاتف. اضغط «تهيئة الجلسة» لربطه من جديد.",
    ),
    "about.needs_attention": ("A person must look at the problem.", "تحتاج المشكلة إلى تدخل شخص."),
    "about.failed": ("The session could not be started.", "تعذّر تشغيل الجلسة."),
    "about.unknown": ("This version does not know the state.", "لا يعرف هذا الإصدار هذه الحالة."),
    "about.gone": (
        "The worker that owns the session does not respond. The page shows its last report.",
        "المشغّل المسؤول عن الجلسة لا يستجيب. تعرض الصفحة آخر ما أبلغ به.",
    ),
    "about.none": (
        "No worker is running. Your request is kept until a worker starts.",
        "لا يوجد مشغّل يعمل الآن. يُحفظ طلبك حتى يبدأ أحد المشغّلات.",
    ),
    # reasons of the worker
    "reason.not_started": ("Not started yet", "لم تبدأ بعد"),
    "reason.finding_profile": ("Looking for the profile", "جارٍ البحث عن ملف الجلسة"),
    "reason.no_profile": ("No profile here; looking for a copy", "لا يوجد ملف جلسة هنا؛ جارٍ البحث عن نسخة"),
    "reason.profile_damaged": ("Profile damaged; restoring a good copy", "ملف الجلسة تالف؛ جارٍ استعادة نسخة سليمة"),
    "reason.login_lost": ("Login lost; restoring a good copy", "فُقد تسجيل الدخول؛ جارٍ استعادة نسخة سليمة"),
    "reason.store_unreachable": (
        "The object store cannot be reached; waiting for it",
        "تعذّر الوصول إلى مخزن النسخ الاحتياطية؛ بانتظار عودته",
    ),
    "reason.profile_unreadable": (
        "The profile's folder cannot be read or written",
        "تعذّرت قراءة مجلد الجلسة أو الكتابة فيه",
    ),
    "reason.owned_elsewhere": ("Fetching the newer copy of another worker", "جارٍ جلب نسخة أحدث من مشغّل آخر"),
    "reason.login_gone": ("No copy is logged in any more", "لم يعد تسجيل الدخول صالحًا في أي نسخة"),
    "reason.restore_failed": ("A copy could not be restored", "تعذّرت استعادة نسخة"),
    "reason.kept_profile": ("The present profile is kept", "تم الإبقاء على ملف الجلسة الحالي"),
    "reason.tombstone_unverified": (
        "Unknown whether the session was cleared; choose a backup",
        "لا يُعرف هل حُذفت الجلسة؛ اختر نسخة احتياطية",
    ),
    "reason.browser_too_old": ("The copies need a newer browser", "تحتاج النسخ إلى متصفح أحدث"),
    "reason.nothing_to_restore": ("No copy exists; starting afresh", "لا توجد أي نسخة؛ تبدأ جلسة جديدة"),
    "reason.restored": ("A copy was restored", "تمت استعادة نسخة"),
    "reason.launching": ("Starting the browser", "جارٍ تشغيل المتصفح"),
    "reason.scan_the_qr": ("Waiting for the phone to scan the QR code", "بانتظار مسح رمز QR بالهاتف"),
    "reason.waiting_for_network": ("No connection to WhatsApp yet", "لا اتصال بواتساب حتى الآن"),
    "reason.linking": ("QR code scanned; linking", "تم مسح الرمز؛ جارٍ الربط"),
    "reason.syncing": ("WhatsApp is loading the account", "جارٍ تحميل بيانات الحساب من واتساب"),
    "reason.sealing": ("Linked; saving the login", "تم الربط؛ جارٍ حفظ تسجيل الدخول"),
    "reason.sealed": ("Linked and saved", "تم الربط والحفظ"),
    "reason.connected": ("Connected", "متصلة"),
    "reason.offline": ("Lost the connection to WhatsApp", "انقطع الاتصال بواتساب"),
    "reason.browser_gone": ("The browser ended unexpectedly", "أُغلق المتصفح فجأة"),
    "reason.browser_hangs": ("The browser does not respond", "المتصفح لا يستجيب"),
    "reason.launch_failed": ("The browser could not be started", "تعذّر تشغيل المتصفح"),
    "reason.page_silent": ("The page does not respond; loading it again", "الصفحة لا تستجيب؛ جارٍ إعادة تحميلها"),
    "reason.page_elsewhere": (
        "The page left WhatsApp Web; loading it again",
        "غادرت الصفحة واتساب ويب؛ جارٍ إعادة تحميله",
    ),
    "reason.cannot_reconnect": (
        "All quick attempts failed; slow attempts go on",
        "فشلت المحاولات السريعة؛ تستمر محاولات متباعدة",
    ),
    "reason.open_elsewhere": ("WhatsApp Web is open elsewhere", "واتساب ويب مفتوح في مكان آخر"),
    "reason.taking_over": ("Taking the session back", "جارٍ استرجاع الجلسة من النافذة الأخرى"),
    "reason.unlinked_by_phone": ("Unlinked by the phone", "أُلغي الربط من الهاتف"),
    "reason.banned": ("WhatsApp has banned the account for now", "حظر واتساب الحساب مؤقتًا"),
    "reason.terms_not_accepted": ("WhatsApp waits for its terms to be accepted", "ينتظر واتساب قبول شروط الخدمة"),
    "reason.network_refused": ("WhatsApp refuses this server's network", "يرفض واتساب شبكة هذا الخادم"),
    "reason.page_outdated": ("WhatsApp refuses this page version", "يرفض واتساب إصدار الصفحة"),
    "reason.unknown_dialog": ("The page shows an unknown dialog", "تظهر في الصفحة نافذة غير معروفة"),
    "reason.profile_in_use": ("Another program uses this profile", "يستخدم برنامج آخر ملف الجلسة"),
    "reason.restore_requested": ("Restoring the chosen backup", "جارٍ استعادة النسخة المختارة"),
    "reason.reinitializing": ("Starting again", "جارٍ إعادة التشغيل"),
    "reason.stopped": ("Stopped; the session is kept", "متوقفة مع الاحتفاظ بالجلسة"),
    "reason.cleared": ("Cleared", "حُذفت الجلسة"),
    "reason.lease_lost": ("Another worker owns the session", "انتقلت الجلسة إلى مشغّل آخر"),
    # head of the dashboard
    "since": ("for {time}", "منذ {time}"),
    "account": ("Account", "الحساب"),
    # buttons
    "actions.title": ("Quick controls", "أزرار التحكم"),
    "action.initialize": ("Initialize", "تهيئة الجلسة"),
    "action.health-check": ("Health check", "فحص الصحة"),
    "action.backup": ("Back up now", "نسخة احتياطية الآن"),
    "action.clear": ("Clear session", "حذف الجلسة"),
    "action.restore": ("Restore", "استعادة"),
    "action.working": ("Working…", "جارٍ التنفيذ…"),
    # results of actions
    "done.connected": ("The session is connected.", "الجلسة متصلة."),
    "done.pairing": ("Scan the QR code with the phone.", "امسح رمز QR بالهاتف."),
    "done.syncing": ("Linked; WhatsApp is loading the chats.", "تم الربط، وجارٍ تحميل المحادثات."),
    "done.restoring": ("The restore has begun.", "بدأت الاستعادة."),
    "done.reconnecting": ("The session is reconnecting.", "جارٍ إعادة اتصال الجلسة."),
    "done.starting": ("The session is starting.", "الجلسة قيد التشغيل."),
    "done.cleared": ("The session was cleared.", "حُذفت الجلسة."),
    "done.nothing": ("There is no such session; nothing was cleared.", "لا توجد جلسة بهذا الاسم؛ لم يُحذف شيء."),
    "done.clearing": ("Clearing is under way.", "جارٍ حذف الجلسة."),
    "done.stored": ("Backup stored.", "حُفظت النسخة الاحتياطية."),
    "done.unchanged": ("Nothing has changed since the newest backup.", "لم يتغير شيء منذ آخر نسخة احتياطية."),
    "done.backing_up": ("The backup is still under way.", "ما زال النسخ الاحتياطي جاريًا."),
    "done.checked": ("Health check done.", "انتهى فحص الصحة."),
    "done.other": ("Done.", "تم."),
    # linking
    "link.title": ("Link a phone", "ربط الهاتف"),
    "link.step1": ("Open WhatsApp on the phone", "افتح واتساب على الهاتف"),
    "link.step2": ("Settings → Linked devices → Link a device", "الإعدادات ← الأجهزة المرتبطة ← ربط جهاز"),
    "link.step3": ("Point the camera at this QR code", "وجّه الكاميرا نحو رمز QR هذا"),
    "link.qr": ("QR code that links the phone", "رمز QR لربط الهاتف"),
    "link.wait": ("Waiting for the QR code…", "بانتظار رمز QR…"),
    "link.renews": ("The code renews automatically.", "يتجدد الرمز تلقائيًا."),
    "link.or": ("or with the phone number", "أو برقم الهاتف"),
    "link.number": ("Phone number with country code", "رقم الهاتف مع رمز الدولة"),
    "link.get": ("Get a code", "الحصول على رمز"),
    "link.code": ("Enter this code on the phone", "أدخل هذا الرمز على الهاتف"),
    # health
    "health.title": ("Health", "صحة الجلسة"),
    "health.healthy": ("Healthy", "سليمة"),
    "health.warning": ("Warning", "تحذير"),
    "health.critical": ("Critical", "حرجة"),
    "health.none": ("No verdict yet", "لا توجد نتيجة بعد"),
    "health.noneAbout": (
        "The health service has not reported yet. Press Health check to ask it.",
        "لم تصل نتيجة من خدمة فحص الصحة بعد. اضغط «فحص الصحة» لطلبها.",
    ),
    "health.fine": ("No problems found.", "لا توجد مشكلات."),
    "health.issues": ("Issues", "المشكلات"),
    "health.recommendations": ("What to do", "ما ينبغي فعله"),
    "health.checks": ("All checks", "كل الفحوص"),
    "health.checked": ("checked {time}", "آخر فحص {time}"),
    # details
    "details.title": ("Session details", "تفاصيل الجلسة"),
    "details.size": ("Session size", "حجم الجلسة"),
    "details.backupSize": ("Backup size", "حجم النسخة الاحتياطية"),
    "details.lastModified": ("Last change", "آخر تغيير"),
    "details.lastSave": ("Last local save", "آخر حفظ محلي"),
    "details.lastBackup": ("Last off-site backup", "آخر نسخة خارجية"),
    "details.backups": ("Off-site backups", "النسخ الخارجية"),
    "details.reconnects": ("Reconnect attempts", "محاولات إعادة الاتصال"),
    "details.browser": ("Browser", "المتصفح"),
    "details.page": ("WhatsApp Web", "واتساب ويب"),
    "details.memory": ("Browser memory", "ذاكرة المتصفح"),
    "details.files": ("Essential files", "الملفات الأساسية"),
    "details.filesOk": ("{count} present", "{count} موجودة"),
    "details.filesMissing": ("missing: {names}", "ناقصة: {names}"),
    "details.worker": ("Worker", "المشغّل"),
    "details.path": ("Session folder", "مجلد الجلسة"),
    "details.uptime": ("Gateway uptime", "مدة تشغيل البوابة"),
    "details.none": ("none yet", "لا يوجد بعد"),
    "details.unknown": ("not known yet", "غير معروف بعد"),
    "details.lastSeen": ("seen last {time}: {count}", "آخر ما شوهد {time}: {count}"),
    "details.lastError": ("last attempt failed: {error}", "فشلت آخر محاولة: {error}"),
    # test message
    "test.title": ("Test message", "رسالة تجريبية"),
    "test.about": (
        "Proves that the session can send messages.",
        "تثبت أن الجلسة قادرة على إرسال الرسائل.",
    ),
    "test.number": ("Phone number", "رقم الهاتف"),
    "test.numberHint": ("With country code, digits only", "مع رمز الدولة، أرقام فقط"),
    "test.message": ("Message", "نص الرسالة"),
    "test.default": ("Test message from Persistent Session", "رسالة تجريبية من الجلسة الدائمة"),
    "test.send": ("Send", "إرسال"),
    "test.sending": ("Sending…", "جارٍ الإرسال…"),
    "test.sent": ("Sent. WhatsApp has confirmed it.", "أُرسلت الرسالة وأكّد واتساب استلامها."),
    "test.repeated": ("This message had already been sent.", "سبق إرسال هذه الرسالة."),
    "test.askAgain": ("Check whether it was sent", "التحقق من إرسالها"),
    "test.off": ("Available once the session is connected.", "تتاح عندما تكون الجلسة متصلة."),
    # backups
    "backups.title": ("Off-site backups", "النسخ الاحتياطية الخارجية"),
    "backups.show": ("Show backups", "عرض النسخ"),
    "backups.none": ("There are no backups yet.", "لا توجد نسخ احتياطية بعد."),
    "backups.taken": ("Taken", "التاريخ"),
    "backups.size": ("Size", "الحجم"),
    "backups.state": ("Proof", "التحقق"),
    "backups.stored": ("stored", "محفوظة"),
    "backups.scrubbed": ("verified by reading back", "تم التحقق بقراءتها"),
    "backups.drilled": ("proven by a restore", "تم التحقق باستعادتها"),
    "backups.bad": ("damaged", "تالفة"),
    "backups.cleared": ("cleared", "محذوفة"),
    "backups.foreign": ("made with another key", "أُنشئت بمفتاح آخر"),
    # history
    "history.title": ("Recent changes", "آخر التغييرات"),
    "history.none": ("Nothing has happened yet.", "لم يحدث شيء بعد."),
    # confirmation
    "confirm.clear.title": ("Clear this session?", "هل تريد حذف هذه الجلسة؟"),
    "confirm.clear.text": (
        "The phone is unlinked, and the profile and its local copies are deleted. Off-site backups are kept for a day. "
        "You will have to scan a QR code again.",
        "سيُلغى ربط الهاتف ويُحذف ملف الجلسة ونسخه المحلية. تبقى النسخ الخارجية يومًا واحدًا. "
        "ستحتاج إلى مسح رمز QR من جديد.",
    ),
    "confirm.clear.yes": ("Clear session", "حذف الجلسة"),
    "confirm.restore.title": ("Restore a backup?", "هل تريد استعادة نسخة احتياطية؟"),
    "confirm.restore.text": (
        "The browser is closed, and the backup replaces the profile. The present profile is kept until the session is "
        "connected.",
        "سيُغلق المتصفح وتحل النسخة محل ملف الجلسة. يُحتفظ بالملف الحالي حتى تتصل الجلسة.",
    ),
    "confirm.restore.yes": ("Restore", "استعادة"),
    "confirm.logins.title": ("Log out everywhere?", "هل تريد تسجيل الخروج من كل مكان؟"),
    "confirm.logins.text": (
        "Every login of this page ends at once, this one too. The API key stays as it is.",
        "تنتهي فورًا كل عمليات تسجيل الدخول إلى هذه الصفحة، ومنها هذه. يبقى مفتاح الدخول كما هو.",
    ),
    "confirm.logins.yes": ("Log out everywhere", "تسجيل الخروج من كل مكان"),
    "confirm.no": ("Cancel", "إلغاء"),
    # errors
    "error.wrong_key": ("The API key is wrong.", "مفتاح الدخول غير صحيح."),
    "error.too_many_wrong_keys": (
        "The API key is wrong, and so were too many before it. Check the key and try again in a moment.",
        "مفتاح الدخول غير صحيح، وسبقته محاولات خاطئة كثيرة. تحقق من المفتاح وحاول بعد قليل.",
    ),
    "error.end_pending": (
        "Ended here. The message bus cannot be reached, so after a restart this login may work again until it is back.",
        "انتهى هنا. تعذّر الوصول إلى ناقل الرسائل، وقد يعود تسجيل الدخول صالحًا بعد إعادة التشغيل حتى عودته.",
    ),
    "error.idempotency_key_reused": (
        "This key was used for another request. Nothing was done.",
        "استُخدم هذا المفتاح لطلب آخر. لم يُنفذ شيء.",
    ),
    "error.request_under_way": ("The same request is still under way.", "الطلب نفسه ما زال قيد التنفيذ."),
    "error.unauthorized": ("Your login has expired. Log in again.", "انتهت صلاحية تسجيل الدخول. سجّل الدخول من جديد."),
    "error.csrf": ("The page is out of date. Reload it.", "الصفحة قديمة. أعد تحميلها."),
    "error.foreign_origin": ("The request was refused. Reload the page.", "رُفض الطلب. أعد تحميل الصفحة."),
    "error.rate_limited": ("Too many requests. Wait a moment.", "عدد الطلبات كبير جدًا. انتظر قليلًا."),
    "error.busy": ("The server is busy. Try again in a moment.", "الخادم مشغول. حاول بعد قليل."),
    "error.worker_gone": (
        "No worker responds. An Initialize is kept until a worker starts.",
        "لا يستجيب أي مشغّل. يُحفظ طلب التهيئة حتى يبدأ أحد المشغّلات.",
    ),
    "error.unavailable": ("The message bus cannot be reached.", "تعذّر الوصول إلى ناقل الرسائل."),
    "error.timed_out": ("The answer did not arrive in time.", "لم يصل الرد في الوقت المحدد."),
    "error.unknown_outcome": (
        "No confirmation arrived in time; the message may have been sent. Do not send it again: check whether it was "
        "sent.",
        "لم يصل تأكيد في الوقت المحدد، وقد تكون الرسالة أُرسلت. لا ترسلها مرة أخرى، بل تحقق من إرسالها.",
    ),
    "error.not_connected": ("The session is not connected.", "الجلسة غير متصلة."),
    "error.page_elsewhere": (
        "The page left WhatsApp Web and is being loaded again. Try again in a moment.",
        "غادرت الصفحة واتساب ويب ويجري تحميله من جديد. حاول بعد قليل.",
    ),
    "error.not_on_whatsapp": ("This number is not on WhatsApp.", "هذا الرقم غير مسجل في واتساب."),
    "error.not_sent": ("The message was not sent.", "لم تُرسل الرسالة."),
    "error.not_pairing": ("The session is not waiting for a phone.", "الجلسة لا تنتظر ربط هاتف."),
    "error.already_linked": ("A phone is already linked.", "يوجد هاتف مرتبط بالفعل."),
    "error.conflict": ("Another command is under way.", "هناك أمر آخر قيد التنفيذ."),
    "error.send_failed": ("WhatsApp refused the message.", "رفض واتساب الرسالة."),
    "error.bad_phone_number": (
        "The phone number is not valid: 7 to 15 digits with the country code.",
        "رقم الهاتف غير صحيح: من 7 أرقام إلى 15 رقمًا مع رمز الدولة.",
    ),
    "error.bad_message": ("The message is empty or too long.", "الرسالة فارغة أو طويلة جدًا."),
    "error.bad_field": ("A field has the wrong form.", "صيغة أحد الحقول غير صحيحة."),
    "error.missing_field": ("Please fill in every field.", "يرجى ملء جميع الحقول."),
    "error.backup_service_gone": ("The backup service is not running.", "خدمة النسخ الاحتياطي لا تعمل."),
    "error.not_found": ("Not found.", "غير موجود."),
    "error.network": ("The server cannot be reached.", "تعذّر الوصول إلى الخادم."),
    "error.other": ("The action failed: {text}", "فشلت العملية: {text}"),
    "footer": (
        "Unofficial; not affiliated with WhatsApp. The phone must be online at least every 14 days.",
        "نظام غير رسمي ولا علاقة له بواتساب. يجب أن يتصل الهاتف بالإنترنت مرة كل 14 يومًا على الأقل.",
    ),
}

_TABLES: dict[str, dict[str, str]] = {
    language: {key: both[index] for key, both in _TEXTS.items()} for index, language in enumerate(LANGUAGES)
}


def of(language: str) -> dict[str, str]:
    """All texts of one language."""
    return _TABLES[language]


def other(language: str) -> str:
    return "en" if language == "ar" else "ar"


def direction(language: str) -> str:
    return "rtl" if language == "ar" else "ltr"


def choose(asked: str, remembered: str, accepted: str) -> str:
    """The language that was asked for, else the one remembered, else the best of an Accept-Language header."""
    for language in (asked, remembered):
        if language in LANGUAGES:
            return language
    ranked = sorted(_ranges(accepted), key=lambda each: -each[1])
    return next((language for language, weight in ranked if language in LANGUAGES and weight > 0), "en")


def _ranges(accepted: str) -> list[tuple[str, float]]:
    """`ar-EG,en;q=0.7` → [("ar", 1.0), ("en", 0.7)]."""
    found = []
    for part in accepted.split(",")[:20]:
        tag, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            weight = 0.0
        found.append((tag.split("-")[0].lower(), weight))
    return found
