/*
 * How the page's own parts are found: through wa-js (by the shape of exports) and by module name. Everything here
 * answers undefined instead of throwing.
 *
 * The trap: before wa-js is injected a look through it may fail for good, and before Debug.VERSION is there a require
 * may run the site's modules too early; so neither is touched before that.
 */
const attempt = (read) => {
  try {
    return read();
  } catch {
    return undefined;
  }
};
const pageVersion = () => attempt(() => window.Debug.VERSION) || '';
const waJs = () => attempt(() => (window.WPP && window.WPP.isInjected ? window.WPP : undefined));
const throughWaJs = (name) => attempt(() => waJs().whatsapp[name]);
const byName = (id, name) => {
  if (!pageVersion() || typeof window.require !== 'function') {
    return undefined;
  }
  const found = attempt(() => window.require(id));
  return attempt(() => (name in found ? found[name] : undefined)) || attempt(() => found.default[name]);
};
const meOf = (prefs) =>
  attempt(() => prefs.getMaybeMePnUser()) || attempt(() => prefs.getMaybeMeUser()) || undefined;
const text = (value) => (typeof value === 'string' ? value : '');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const within = (ms, promise, otherwise) => Promise.race([promise, pause(ms).then(() => otherwise)]);
const until = async (ms, check) => {
  for (const end = performance.now() + ms; performance.now() < end; await pause(25)) {
    if (attempt(check)) {
      return true;
    }
  }
  return Boolean(attempt(check));
};
