// The virtual phone: asks what there is once a second, draws it, and does what its buttons say.

import { number, text, time } from './words.js';

const POLL_MS = 1000;
const KEY = 'virtual-phone-key';
const byId = (id) => document.getElementById(id);

// The key comes in the fragment of the address, which no browser sends. It is kept for this origin, and taken out of the
// address, so that it is in no bookmark and in no picture of the screen.
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get('key');
  if (given) {
    localStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
}

async function ask(path, body) {
  const headers = { Authorization: `Bearer ${localStorage.getItem(KEY) ?? ''}` };
  const options = { cache: 'no-store', signal: AbortSignal.timeout(5000), headers };
  if (body) {
    headers['Content-Type'] = 'application/json';
    Object.assign(options, { method: 'POST', body: JSON.stringify(body) });
  }
  return fetch(`/phone/${path}`, options);
}

// Drawing. Elements stay in place while their item does, so that a redraw never takes the focus away.

function translate(root) {
  for (const element of root.querySelectorAll('[data-text]')) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of root.querySelectorAll('[data-label]')) {
    element.placeholder = text(element.dataset.label);
    element.setAttribute('aria-label', text(element.dataset.label));
  }
}

function write(root, selector, words) {
  const element = root.querySelector(selector);
  if (element.textContent !== words) {
    element.textContent = words;
  }
}

function made(template) {
  const element = byId(template).content.firstElementChild.cloneNode(true);
  translate(element);
  return element;
}

function list(name, empty, template, items, fill) {
  const place = byId(name);
  const keys = new Set(items.map((item) => item.key));
  for (const element of [...place.children]) {
    if (!keys.has(element.dataset.key)) {
      element.remove();
    }
  }
  const old = new Map([...place.children].map((element) => [element.dataset.key, element]));
  items.forEach((item, position) => {
    const element = old.get(item.key) ?? made(template);
    element.dataset.key = item.key;
    fill(element, item);
    if (place.children[position] !== element) {
      place.insertBefore(element, place.children[position] ?? null);
    }
  });
  byId(empty).hidden = items.length > 0;
}

function drawWaiting(element, page) {
  write(element, '.ref', `${page.ref}…`);
  write(element, '.since', text('since', { time: time(page.since) }));
  const button = element.querySelector('.scan');
  button.setAttribute('aria-label', text('scan_of', { ref: page.ref }));
  button.onclick = () => press(button, 'scan', { page: page.id }, byId('devices-title'));
}

function drawDevice(element, device) {
  write(element, '.name', text('device', device));
  write(element, '.badge', text(device.connected ? 'on' : 'off'));
  element.querySelector('.badge').dataset.on = device.connected;
  write(element, '.linked', text('linked', { time: time(device.linked_at) }));
  write(element, '.logins', text('logins', { count: device.logins }));
  const button = element.querySelector('.unlink');
  button.setAttribute('aria-label', text('unlink_of', device));
  button.onclick = () => unlink(button, device);
}

function drawMessage(element, message) {
  element.classList.toggle('mine', !message.to);
  write(element, '.who', message.to ? text('to', { number: number(message.to) }) : text('from', { number: number(message.from) }));
  write(element, '.body', message.text);
  const state = message.to ? '' : ` · ${text(message.delivered ? 'delivered' : 'underway')}`;
  write(element, '.when', time(message.at) + state);
}

function draw(state) {
  byId('number').textContent = number(state.number);
  list('waiting', 'nothing-waits', 'waiting-item', state.waiting, drawWaiting);
  list('devices', 'no-devices', 'device-item', state.devices, drawDevice);
  list('messages', 'no-messages', 'message-item', state.messages, drawMessage);
}

// Doing

let forget = 0;
function say(words, bad = false) {
  byId('said').textContent = words;
  byId('said').dataset.bad = bad;
  clearTimeout(forget);
  forget = setTimeout(() => say(''), 6000);
}

async function press(button, action, body, next) {
  button.disabled = true;
  try {
    const answer = await ask(action, body);
    const found = await answer.json();
    say(text(`${answer.ok ? 'did' : 'fail'}_${action}`, found), !answer.ok);
    await refresh();
    if (answer.ok) {
      next?.focus();
    }
    return answer.ok;
  } catch {
    say(text('fail_network'), true);
    return false;
  } finally {
    button.disabled = false;
  }
}

function unlink(button, device) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = text('unlink_title', device);
  dialog.returnValue = 'no';
  dialog.onclose = () => {
    if (dialog.returnValue === 'yes') {
      press(button, 'unlink', { device: device.id }, byId('devices-title'));
    }
  };
  dialog.showModal();
}

function onSubmit(id, action, cleared) {
  byId(id).addEventListener('submit', async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const body = Object.fromEntries(new FormData(form));
    if (await press(form.querySelector('[type=submit]'), action, body, form.elements[cleared])) {
      form.elements[cleared].value = '';
    }
  });
}

// Each answer that is asked for gets a number: a slow one never draws over a newer one.
let asked = 0;
let drawn = 0;
async function refresh() {
  const turn = ++asked;
  const answer = await ask('state');
  byId('locked').hidden = answer.status !== 401;
  if (answer.status === 401) {
    byId('offline').hidden = true;
    return;
  }
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  const state = await answer.json();
  if (turn > drawn) {
    drawn = turn;
    draw(state);
  }
  byId('offline').hidden = true;
}

async function watch() {
  try {
    await refresh();
  } catch {
    byId('offline').hidden = false;
  }
  setTimeout(watch, POLL_MS);
}

takeKey();
addEventListener('hashchange', takeKey);
document.title = text('title');
translate(document);
onSubmit('code-form', 'code', 'code');
onSubmit('write-form', 'write', 'text');
watch();
