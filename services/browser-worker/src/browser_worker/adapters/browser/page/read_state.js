/*
 * What each tier sees now, the most trusted first: wa-js, modules by name, the DOM. The field names are those of
 * RawReading.
 */
const models = {
  'wa-js': () => ({
    socket: throughWaJs('Socket'),
    stream: throughWaJs('Stream'),
    conn: throughWaJs('Conn'),
    prefs: throughWaJs('UserPrefs'),
    registered: attempt(() => waJs().conn.isRegistered()),
  }),
  modules: () => ({
    socket: socketByName(),
    stream: streamByName(),
    conn: byName('WAWebConnModel', 'Conn'),
    prefs: required('WAWebUserPrefsMeUser'),
    registered: undefined,
  }),
};

const tierOfModels = (tier) => {
  const { socket, stream, conn, prefs, registered } = models[tier]();
  return {
    tier,
    socket: text(attempt(() => socket.state)),
    stream_mode: text(attempt(() => stream.mode)),
    stream_info: text(attempt(() => stream.info)),
    number: text(attempt(() => meOf(prefs).user)),
    name: text(attempt(() => conn.pushname)),
    platform: text(attempt(() => conn.platform)),
    registered: typeof registered === 'boolean' ? registered : null,
  };
};

const tierOfDom = () => ({
  tier: 'dom',
  qr: text(attempt(() => document.querySelector('[data-ref]').dataset.ref)),
  post_logout: new URLSearchParams(location.search).get('post_logout') === '1' || Boolean(attempt(() => window.__persistentSession.loggedOut)),
  chat_pane: Boolean(document.querySelector('#pane-side, [data-testid="chat-list"]')),
  progress: Boolean(document.querySelector('progress, [role="progressbar"]')),
  use_here: Boolean(useHereButton()),
  dialog: text(attempt(() => classOf(unknownDialogs()[0]))),
  backend_event: text(attempt(() => window.__persistentSession.backendEvent)),
  page_version: pageVersion(),
  wa_js_ready: Boolean(attempt(() => window.WPP.isReady)),
});

/**
 * Raises the sequence number of localStorage to that of the newest export. A logout clears localStorage, number and all;
 * without the number the next start would take it for an old state and write the login back.
 */
const raiseSequence = ({ key, floor }) => {
  if (floor > (Number(localStorage.getItem(key)) || 0)) {
    localStorage.setItem(key, String(floor));
  }
};

const readState = async (options) => {
  attempt(() => raiseSequence(options));
  const tiers = [tierOfModels('wa-js'), tierOfModels('modules'), tierOfDom()];
  if (!tiers[2].qr && tiers.some((tier) => tier.stream_mode === 'QR') && waJs()) {
    const code = await within(200, attempt(() => waJs().conn.getAuthCode()), null).catch(() => null);
    tiers[0].qr = text(attempt(() => code.fullCode));
  }
  return tiers;
};
return readState(options);
