/*
 * How the parts of the page are found: through wa-js, which knows the shape of exports, and by the names of modules.
 * Every lookup answers undefined instead of throwing.
 *
 * The trap: a lookup through wa-js before wa-js is injected may fail for good, and a require before Debug.VERSION is set
 * may run the site's modules too early. Both wait for their sign.
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
/** An export of a module, by its name. Where only the module has kept its name, the export is found by its shape. */
const byName = (id, name, hasShape = () => false) => {
  const found = required(id);
  return (
    attempt(() => found[name]) || attempt(() => found.default[name]) ||
    attempt(() => Object.values(found).find((value) => attempt(() => hasShape(value))))
  );
};
const socketByName = () => byName('WAWebSocketModel', 'Socket', (value) => typeof value.state === 'string');
const streamByName = () => byName('WAWebStreamModel', 'Stream', (value) => typeof value.mode === 'string');
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
