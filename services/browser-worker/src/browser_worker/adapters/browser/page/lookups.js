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
const required = (id) =>
  pageVersion() && typeof window.require === 'function' ? attempt(() => window.require(id)) : undefined;
/** An export of a module by its name, or by what it looks like when only the module has kept its name. */
const byName = (id, name, looksLikeIt = () => false) => {
  const found = required(id);
  return (
    attempt(() => found[name]) || attempt(() => found.default[name]) ||
    attempt(() => Object.values(found).find((one) => attempt(() => looksLikeIt(one))))
  );
};
const socketByName = () => byName('WAWebSocketModel', 'Socket', (one) => typeof one.state === 'string');
const streamByName = () => byName('WAWebStreamModel', 'Stream', (one) => typeof one.mode === 'string');
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
