/*
 * What a person sees, and what a driver finds in the DOM: the loading bar, the QR code in `[data-ref]`, the chats, the
 * "use here" button, dialogs. The UI follows the models and decides nothing.
 */
__d('StandInUI', ['WAWebSocketModel', 'WAWebStreamModel', 'WAWebConnModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { Socket } = require('WAWebSocketModel');
  const { Stream } = require('WAWebStreamModel');
  const { Conn } = require('WAWebConnModel');
  const { MsgCollection } = require('WAWebMsgCollection');
  const { ChatCollection } = require('WAWebChatCollection');
  const session = () => require('StandInSession');
  let app;
  let screen = null;
  let page = null;
  let active = null;

  const NOTICES = {
    CONFLICT: ['WhatsApp is open in another window', 'واتساب مفتوح في نافذة أخرى'],
    PROXYBLOCK: ['Your network blocks WhatsApp', 'شبكتك تحجب واتساب'],
    TOS_BLOCK: ['This account is not allowed to use WhatsApp', 'هذا الحساب غير مسموح له باستخدام واتساب'],
    SMB_TOS_BLOCK: ['This business account is not allowed to use WhatsApp', 'حساب الأعمال هذا غير مسموح له'],
    DEPRECATED_VERSION: ['Update WhatsApp to continue', 'حدّث واتساب للمتابعة'],
    OFFLINE: ['No connection to the server', 'لا يوجد اتصال بالخادم'],
  };

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith('on')) {
        made.addEventListener(name.slice(2), value);
      } else {
        made.setAttribute(name, value);
      }
    }
    made.append(...children);
    return made;
  }

  const both = (english, arabic) => [
    element('span', { lang: 'en', dir: 'ltr' }, english),
    element('span', { lang: 'ar', dir: 'rtl', class: 'arabic' }, arabic),
  ];
  const button = (attributes, english, arabic) => element('button', { type: 'button', ...attributes }, ...both(english, arabic));

  function screenFor() {
    if (Stream.mode === 'QR') {
      return 'qr';
    }
    if (Stream.mode === 'MAIN') {
      return 'main';
    }
    return NOTICES[Stream.mode] ? `notice:${Stream.mode}` : 'startup';
  }

  const SCREENS = { qr: qrScreen, main: mainScreen, startup: startupScreen };

  function draw() {
    const next = screenFor();
    if (next !== screen) {
      screen = next;
      app.replaceChildren((SCREENS[next] || noticeScreen)());
    }
    if (screen === 'qr') {
      drawQR();
    } else if (screen === 'main') {
      drawBanner();
    }
  }

  function startupScreen() {
    return element('div', { id: 'startup', class: 'card' },
      element('h1', {}, 'WhatsApp ', element('small', {}, 'stand-in')),
      element('progress', { value: '40', max: '100', 'aria-label': 'Loading' }),
      element('p', {}, ...both('Loading your chats', 'جارٍ تحميل دردشاتك')));
  }

  function noticeScreen() {
    const children = [element('h1', {}, ...both(...NOTICES[Stream.mode]))];
    if (Stream.mode === 'CONFLICT') {
      const press = () => session().takeover();
      children.push(button({ 'data-testid': 'use-here', class: 'primary', onclick: press }, 'Use here', 'استخدام هنا'));
    }
    return element('div', { class: 'card notice', 'data-notice': Stream.mode }, ...children);
  }

  function qrScreen() {
    const steps = [
      ['Open WhatsApp on your phone', 'افتح واتساب على هاتفك'],
      ['Linked devices → Link a device', 'الأجهزة المرتبطة ← ربط جهاز'],
      ['Point your phone at this screen', 'وجّه هاتفك نحو هذه الشاشة'],
    ].map((step) => element('li', {}, ...both(...step)));
    return element('div', { class: 'card landing' },
      element('div', {},
        element('h1', {}, ...both('Link a device', 'ربط جهاز')),
        element('ol', {}, ...steps),
        element('p', { id: 'link-code', hidden: '' })),
      element('div', { class: 'qr' },
        element('div', { id: 'qr-box' }),
        button({ id: 'virtual-scan', class: 'primary', onclick: scan }, 'Scan with the virtual phone', 'امسح بالهاتف الافتراضي'),
        element('p', { id: 'scan-error', role: 'alert' }),
        ...phoneLink()));
  }

  // The phone answers under loopback's names only, not under the TLS port's.
  function phoneLink() {
    if (!['127.0.0.1', 'localhost'].includes(location.hostname)) {
      return [];
    }
    return [element('a', { id: 'open-phone', href: '/phone', target: '_blank', rel: 'noopener' },
      ...both('Open the virtual phone', 'افتح الهاتف الافتراضي'))];
  }

  function drawQR() {
    const box = document.getElementById('qr-box');
    if (!Conn.ref || Socket.state === 'UNPAIRED_IDLE') {
      const press = () => session().refreshQR();
      const idle = Socket.state === 'UNPAIRED_IDLE';
      box.replaceChildren(...(idle ? [button({ 'data-testid': 'refresh-qr', onclick: press }, 'Reload QR code', 'إعادة تحميل الرمز')] : []));
      return;
    }
    const keys = require('StandInIdentity').publicKeys();
    const text = [Conn.ref, keys.static, keys.identity, keys.secret, keys.platform].join(',');
    if (box.firstElementChild?.getAttribute('data-ref') !== text) {
      const canvas = element('canvas', { role: 'img', 'aria-label': 'Scan this QR code to link a device!' });
      box.replaceChildren(element('div', { 'data-ref': text }, canvas));
      paint(canvas, text).catch(() => undefined);
    }
  }

  async function paint(canvas, text) {
    const answer = await fetch('/qr', { method: 'POST', body: text });
    const rows = await answer.json();
    const scale = 4;
    const quiet = 4;
    canvas.width = canvas.height = (rows.length + 2 * quiet) * scale;
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = '#111b21';
    rows.forEach((row, y) => [...row].forEach((module, x) => {
      if (module === '1') {
        context.fillRect((x + quiet) * scale, (y + quiet) * scale, scale, scale);
      }
    }));
  }

  async function scan() {
    const answer = await fetch('/virtual-phone/scan', { method: 'POST', headers: { 'X-Standin-Page': page } });
    if (!answer.ok) {
      document.getElementById('scan-error').textContent = await answer.text();
    }
  }

  function mainScreen() {
    const me = require('WAWebUserPrefsMeUser').getMaybeMePnUser();
    const main = element('div', { id: 'main-view' },
      element('div', { id: 'side' },
        element('header', {}, element('b', {}, Conn.pushname || ''), element('bdi', { dir: 'ltr' }, me ? ` +${me.user}` : '')),
        element('p', { id: 'banner', role: 'status', hidden: '' }),
        element('div', { id: 'pane-side', role: 'grid', 'aria-label': 'Chat list' })),
      element('div', { id: 'main', role: 'region' }));
    queueMicrotask(drawChats);
    return main;
  }

  function drawBanner() {
    const banner = document.getElementById('banner');
    banner.hidden = Socket.state === 'CONNECTED';
    banner.replaceChildren(...both('Connecting…', 'جارٍ الاتصال…'));
  }

  function drawChats() {
    const list = document.getElementById('pane-side');
    if (!list) {
      return;
    }
    const chats = ChatCollection.getModelsArray().sort((a, b) => b.t - a.t);
    active ??= chats[0];
    const open = (chat) => () => {
      active = chat;
      drawChats();
    };
    list.replaceChildren(...chats.map((chat) =>
      element('div', { role: 'row', class: chat === active ? 'chat active' : 'chat', onclick: open(chat) },
        element('bdi', { dir: 'ltr' }, chat.formattedTitle),
        element('span', { class: 'last', dir: 'auto' }, chat.msgs.last()?.body || ''))));
    drawMessages();
  }

  function drawMessages() {
    const pane = document.getElementById('main');
    if (!active) {
      pane.replaceChildren(element('p', { class: 'empty' }, ...both('No chats yet', 'لا توجد دردشات بعد')));
      return;
    }
    const ticks = { '-1': '⚠', 0: '🕓', 1: '✓', 2: '✓✓', 3: '✓✓' };
    pane.replaceChildren(...active.msgs.getModelsArray().slice(-50).map((message) =>
      element('div', { class: message.id.fromMe ? 'message out' : 'message in', 'data-id': String(message.id) },
        element('span', { dir: 'auto' }, message.body || ''),
        element('small', { class: message.ack === 3 ? 'read' : '' }, message.id.fromMe ? ticks[message.ack] || '' : ''))));
  }

  let drawing = false;
  function drawChatsSoon() {
    if (!drawing) {
      drawing = true;
      requestAnimationFrame(() => {
        drawing = false;
        drawChats();
      });
    }
  }

  exports.start = function () {
    app = document.getElementById('app');
    screen = 'startup';
    Socket.on('change:state', draw);
    Stream.on('change:mode change:info', draw);
    Conn.on('change:ref', draw);
    ChatCollection.on('add change', drawChatsSoon);
    MsgCollection.on('add change:ack', drawChatsSoon);
  };
  exports.setPage = (id) => {
    page = id;
  };
  exports.showCode = (code) => {
    const place = document.getElementById('link-code');
    if (place) {
      place.hidden = false;
      place.setAttribute('data-link-code', code);
      place.replaceChildren(...both('Code for your phone:', 'الرمز لهاتفك:'), element('b', { dir: 'ltr' }, `${code.slice(0, 4)}-${code.slice(4)}`));
    }
  };
  exports.showDialog = (text) => {
    document.querySelector('[role=dialog]')?.remove();
    if (text) {
      document.body.append(element('div', { role: 'dialog', 'aria-modal': 'true', class: 'dialog' }, element('p', { dir: 'auto' }, text)));
    }
  };
});
