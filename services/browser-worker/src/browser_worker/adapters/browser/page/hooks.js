/*
 * Wakes the worker when what the page shows changes. A wake is a reason to read the page again and says nothing more.
 *
 * While the page starts, a digest of what it shows is compared every 50 ms, so that the worker sees `connected` before
 * wa-js is ready. Later the events of the page's models wake the worker, and a comparison each second covers for an
 * event that is missed.
 */
const FIRST_MS = 10;
const FIRST_FOR_MS = 3000;
const FAST_MS = 50;
const FAST_FOR_MS = 15000;
const SLOW_MS = 1000;
const PUSHED_EVENTS = new Set([
  'account_temporarily_banned', 'storage_initialization_error', 'service_unavailable_503', 'unexpected_logout_modal',
]);
const own = { backendEvent: '', loggedOut: false };
Object.defineProperty(window, '__persistentSession', { value: own });

const wake = (what) => attempt(() => window.__psWake(what).catch(() => undefined));

const modelsNow = () => ({
  socket: socketByName() || throughWaJs('Socket'),
  stream: streamByName() || throughWaJs('Stream'),
  prefs: required('WAWebUserPrefsMeUser') || throughWaJs('UserPrefs'),
});

/** Wraps the page's own event bus early: the bus tells of a ban once, often before wa-js is ready. */
let listening = false;
const listen = () => {
  const bus = listening ? undefined : byName('WAWebBackendEventBus', 'BackendEventBus');
  if (!bus || typeof bus.trigger !== 'function') {
    return;
  }
  listening = true;
  const trigger = bus.trigger;
  bus.trigger = function (name, ...rest) {
    heard(name);
    return trigger.call(this, name, ...rest);
  };
};
const heard = (name) => {
  if (PUSHED_EVENTS.has(name)) {
    own.backendEvent = name;
    wake('backend');
  } else if (name === 'logout') {
    own.loggedOut = true;
    wake('logout');
  }
};

let models = {};
let hooked = false;
const subscribe = () => {
  if (hooked || !models.socket || !models.stream) {
    return;
  }
  hooked = true;
  attempt(() => models.socket.on('change:state', look));
  attempt(() => models.stream.on('change:mode', look));
  attempt(() => models.stream.on('change:info', look));
};

const digest = () =>
  [
    attempt(() => models.socket.state),
    attempt(() => models.stream.mode),
    attempt(() => models.stream.info),
    Boolean(attempt(() => meOf(models.prefs))),
    attempt(() => document.querySelector('[data-ref]').dataset.ref),
    attempt(() => window.WPP.isReady),
  ].join('|');

let before = '';
const look = () => {
  listen();
  if (!models.socket || !models.stream || !models.prefs) {
    models = modelsNow();
    subscribe();
  }
  if (attempt(() => models.socket.state) === 'CONNECTED' && attempt(() => models.stream.mode) === 'MAIN') {
    // A lifted ban must not explain a later loss of the connection.
    own.backendEvent = '';
  }
  const now = digest();
  if (now !== before) {
    before = now;
    wake('state');
  }
};

const started = performance.now();
const watch = () => {
  look();
  const age = performance.now() - started;
  setTimeout(watch, age > FAST_FOR_MS ? SLOW_MS : listening || age > FIRST_FOR_MS ? FAST_MS : FIRST_MS);
};
setTimeout(watch, 0);

attempt(() => window.WPP.on('conn.backend_event', heard));
attempt(() => window.WPP.on('conn.logout', () => heard('logout')));
attempt(() => window.WPP.on('conn.auth_code_change', () => wake('qr')));
