// The texts of the phone in both languages, and times as people read them. Latin digits in both, as numbers have them.

const ENGLISH = {
  title: 'Virtual phone',
  number: 'Number',
  offline: 'The stand-in does not answer. Trying again…',
  locked: 'This phone is locked. Open the address that the demo printed; `persistent-session demo phone` prints it again.',
  waiting: 'Link a device',
  nothing_waits: 'All quiet: no page shows a QR code right now. When a session waits to be linked, it appears here.',
  page_waits: 'A browser is waiting to be linked',
  code_shown: 'QR code',
  since: 'since {time}',
  scan: 'Scan',
  scan_of: 'Scan QR code {ref}',
  code: 'Pairing code',
  link: 'Link',
  devices: 'Linked devices',
  no_devices: 'No device is linked.',
  device: 'Device {id}',
  linked: 'Linked {time}',
  logins: 'Logins: {count}',
  on: 'Connected',
  off: 'Not connected',
  unlink: 'Unlink',
  unlink_of: 'Unlink device {id}',
  unlink_title: 'Unlink device {id}?',
  unlink_about: 'Its session is logged out at once and must be linked again.',
  keep: 'Cancel',
  messages: 'Messages',
  no_messages: 'No messages yet. What the session sends arrives here.',
  to: 'Session to {number}',
  from: '{number} to the session',
  delivered: 'delivered',
  underway: 'waits for the session',
  write_as: 'Write to the session as',
  text: 'Message',
  send: 'Send',
  did_scan: 'Linked: device {device}.',
  did_code: 'Linked: device {device}.',
  did_unlink: 'Unlinked.',
  did_write: 'Sent.',
  fail_scan: 'This QR code is no longer shown. Try the next one.',
  fail_code: 'No page waits for this code, or it has expired.',
  fail_unlink: 'This device is no longer linked.',
  fail_write: 'Not sent: no device is linked, or the number is not one.',
  fail_network: 'The stand-in does not answer.',
};

const ARABIC = {
  title: 'الهاتف الافتراضي',
  number: 'الرقم',
  offline: 'لا يستجيب الخادم المحلي. تُعاد المحاولة…',
  locked: 'هذا الهاتف مقفل. افتح العنوان الذي طبعته التجربة؛ يطبعه الأمر `persistent-session demo phone` مرة أخرى.',
  waiting: 'ربط جهاز',
  nothing_waits: 'كل شيء هادئ: لا توجد صفحة تعرض رمز QR الآن. عندما تنتظر جلسةٌ الربطَ ستظهر هنا.',
  page_waits: 'متصفح ينتظر الربط',
  code_shown: 'رمز QR',
  since: 'منذ {time}',
  scan: 'مسح',
  scan_of: 'مسح رمز QR ‏{ref}',
  code: 'رمز الربط',
  link: 'ربط',
  devices: 'الأجهزة المرتبطة',
  no_devices: 'لا يوجد جهاز مرتبط.',
  device: 'الجهاز {id}',
  linked: 'رُبط {time}',
  logins: 'مرات تسجيل الدخول: {count}',
  on: 'متصل',
  off: 'غير متصل',
  unlink: 'إلغاء الربط',
  unlink_of: 'إلغاء ربط الجهاز {id}',
  unlink_title: 'إلغاء ربط الجهاز {id}؟',
  unlink_about: 'تخرج جلسته من الحساب فورًا، ويلزم ربطها من جديد.',
  keep: 'تراجع',
  messages: 'الرسائل',
  no_messages: 'لا رسائل بعد. ما ترسله الجلسة يصل إلى هنا.',
  to: 'من الجلسة إلى {number}',
  from: 'من {number} إلى الجلسة',
  delivered: 'سُلّمت',
  underway: 'تنتظر الجلسة',
  write_as: 'اكتب إلى الجلسة من الرقم',
  text: 'الرسالة',
  send: 'إرسال',
  did_scan: 'تم الربط: الجهاز {device}.',
  did_code: 'تم الربط: الجهاز {device}.',
  did_unlink: 'أُلغي الربط.',
  did_write: 'أُرسلت.',
  fail_scan: 'لم يعد هذا الرمز معروضًا. جرّب الرمز التالي.',
  fail_code: 'لا توجد صفحة تنتظر هذا الرمز، أو انتهت صلاحيته.',
  fail_unlink: 'لم يعد هذا الجهاز مرتبطًا.',
  fail_write: 'لم تُرسل: لا يوجد جهاز مرتبط، أو الرقم غير صالح.',
  fail_network: 'لا يستجيب الخادم المحلي.',
};

const arabic = document.documentElement.lang === 'ar';
const words = arabic ? ARABIC : ENGLISH;
const locale = arabic ? 'ar-u-nu-latn' : 'en';
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
const calendar = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });

export function text(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// The hour alone for today, the date with it for earlier days.
export function time(iso) {
  const then = new Date(iso);
  return (then.toDateString() === new Date().toDateString() ? clock : calendar).format(then);
}

// U+2066 … U+2069 keep a number in one piece inside a sentence that runs right to left.
export const number = (address) => `\u2066+${String(address).split('@')[0].split(':')[0]}\u2069`;
