/*
 * The life of the session: from the stored login or the QR code to CONNECTED, and every way out of it.
 * The one place that sets Socket, Stream and Conn.
 *
 * Only the server's 401 or an unlink wipes the login; no lost connection, conflict or block ever does.
 */
__d('StandInSession', ['StandInIdentity', 'StandInTransport', 'StandInMailbox', 'StandInHistory'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const identity = require('StandInIdentity');
  const transport = require('StandInTransport');
  const mailbox = require('StandInMailbox');
  const { Socket } = require('WAWebSocketModel');
  const { Stream } = require('WAWebStreamModel');
  const { Conn } = require('WAWebConnModel');
  const { Cmd } = require('WAWebCmd');
  const { BackendEventBus } = require('WAWebBackendEventBus');
  const LOGOUT_PAUSE_MS = 250;
  const LOGOUT_PATIENCE_MS = 2000;
  const OFFLINE_AFTER_MS = 4000;
  const BLOCKS = {
    ban: { state: 'TIMEOUT', mode: 'OFFLINE', event: 'account_temporarily_banned' },
    tos_block: { state: 'TOS_BLOCK', mode: 'TOS_BLOCK' },
    smb_tos_block: { state: 'SMB_TOS_BLOCK', mode: 'SMB_TOS_BLOCK' },
    proxyblock: { state: 'PROXYBLOCK', mode: 'PROXYBLOCK' },
    deprecated: { state: 'DEPRECATED_VERSION', mode: 'DEPRECATED_VERSION', needsUpdate: true },
    unlaunched: { state: 'UNLAUNCHED', mode: 'OFFLINE' },
  };
  const codeRequests = new Map();
  let nonce = null;
  let offlineTimer;
  let leaving = false;
  let logoutReason = 'unknown_companion';
  let ready = null;

  function show({ state, mode, info }) {
    Stream.set({ mode: mode ?? Stream.mode, info, displayInfo: info });
    Socket.set({ stream: state === 'CONNECTED' ? 'CONNECTED' : 'DISCONNECTED', state });
  }

  const HEARD = {
    challenge: introduce,
    ref: ({ ref, ttl }) => {
      Conn.set({ ref, refTTL: ttl });
      localStorage.setItem('WAQRRefAt', String(Date.now()));
      show({ state: 'UNPAIRED', mode: 'QR', info: 'PAIRING' });
    },
    idle: () => {
      Conn.unset('ref');
      show({ state: 'UNPAIRED_IDLE', mode: 'QR', info: 'PAIRING' });
    },
    code: ({ request, code }) => {
      codeRequests.get(request)?.(code);
      codeRequests.delete(request);
      require('StandInUI').showCode(code);
    },
    linked: async (introduction) => {
      show({ state: 'PAIRING', info: 'SYNCING' });
      await identity.linked(introduction);
      await login();
    },
    success: connected,
    failure: ({ code, mode }) => (code === 401 ? loggedOut() : blocked(mode)),
    stream_error: ({ code }) => (code === 'conflict' ? conflict() : loggedOut()),
    ack: ({ id }) => mailbox.acknowledged(id),
    nack: ({ id }) => mailbox.refused(id),
    receipt: ({ ids, kind }) => receipt(ids, kind),
    messages: ({ messages }) => mailbox.receive(messages),
    offline_done: () => {
      require('WAWebOfflineHandler').OfflineMessageHandler.setProgress(100);
      BackendEventBus.trigger('offline_delivery_end');
    },
    history: (wanted) => Socket.state === 'CONNECTED' && require('StandInHistory').want(wanted),
    dialog: ({ text }) => require('StandInUI').showDialog(text),
    hang: ({ ms }) => {
      for (const end = performance.now() + ms; performance.now() < end;);
    },
    run: ({ script }) => new Function(script)(),
    pong: () => undefined,
  };

  /** Read what is stored, connect, and go on from there. */
  function start() {
    transport.on('message', (message) => HEARD[message.type]?.(message));
    transport.on('closed', disconnected);
    Socket.on('change:state', report);
    Stream.on('change:mode', report);
    transport.connect();
    ready = Promise.all([identity.load(), mailbox.loadRecent()]).then(([loggedIn]) => loggedIn);
    ready.catch((error) => {
      console.error(`storage: ${error}`);
      BackendEventBus.trigger('storage_initialization_error', error);
      require('StandInUI').showDialog('Cannot open the storage · تعذّر فتح التخزين');
    });
  }

  async function introduce(challenge) {
    nonce = challenge.nonce;
    require('StandInUI').setPage(challenge.page);
    transport.succeeded();
    clearTimeout(offlineTimer);
    offlineTimer = undefined;
    report();
    await ready;
    if (identity.isLoggedIn()) {
      await login();
      return;
    }
    if (!identity.advSecretKey()) {
      await identity.prepare();
    }
    transport.send({ type: 'pair', ...identity.publicKeys() });
  }

  async function login() {
    transport.send({ type: 'login', token: identity.token(), signature: await identity.sign(nonce) });
  }

  function connected(me) {
    require('WAWebUserPrefsMeUser').setMe(me.wid, me.lid);
    // A listener of `change:ref` would take an empty ref for a QR code.
    Conn.unset('ref').set({
      connected: true, wid: require('WAWebUserPrefsMeUser').getMaybeMePnUser(), pushname: me.pushname, platform: me.platform,
    });
    show({ state: 'CONNECTED', mode: 'MAIN', info: 'NORMAL' });
    BackendEventBus.trigger('set_socket_state', 'CONNECTED');
    BackendEventBus.trigger('main_stream_mode_ready');
    if (!Cmd.isMainLoaded) {
      Cmd.mainLoaded();
    }
    setTimeout(() => {
      Socket.hasSynced = true;
    }, me.synced_ms);
    mailbox.sendQueued();
    require('StandInHistory').want(me.history);
  }

  function disconnected() {
    if (Socket.state === 'CONFLICT' || leaving) {
      return;
    }
    Conn.unset('ref');
    show({ state: Socket.state === 'TIMEOUT' ? 'TIMEOUT' : 'OPENING', info: 'OPENING' });
    BackendEventBus.trigger('socket_stream_disconnected');
    offlineTimer ??= setTimeout(() => {
      if (Socket.state === 'OPENING') {
        show({ state: 'TIMEOUT', mode: Stream.mode === 'SYNCING' ? 'OFFLINE' : Stream.mode, info: 'OFFLINE' });
      }
    }, OFFLINE_AFTER_MS);
    transport.connectLater();
  }

  function conflict() {
    show({ state: 'CONFLICT', mode: 'CONFLICT', info: 'OFFLINE' });
    transport.close();
  }

  function blocked(mode) {
    const block = BLOCKS[mode];
    if (block.needsUpdate) {
      Stream.needsUpdate = true;
    }
    show({ ...block, info: 'OFFLINE' });
    if (block.event) {
      BackendEventBus.trigger(block.event, { code: mode });
    }
  }

  function receipt(ids, kind) {
    const ack = { delivery: 2, read: 3, played: 4 }[kind];
    const { handleChatSimpleReceipt } = require('WAWebHandleMsgReceipt');
    return handleChatSimpleReceipt({ type: 'receipt', externalIds: ids, from: undefined, ack, ackString: kind });
  }

  /** The login is gone for good: wipe, and start afresh. */
  async function loggedOut() {
    if (leaving) {
      return;
    }
    leaving = true;
    require('WAWebLogoutReasonUtils').getErrorCodeFromLogoutReason(logoutReason);
    BackendEventBus.trigger('logout');
    Cmd.trigger('logout');
    // Listeners are told before the page goes.
    await new Promise((resolve) => setTimeout(resolve, LOGOUT_PAUSE_MS));
    transport.close();
    await identity.wipe();
    location.replace('/?post_logout=1&logout_reason=0');
  }

  /** Ask the server to unlink this device; its answer ends the session. Without an answer the login goes all the same. */
  async function logout() {
    logoutReason = 'user_initiated';
    const asked = transport.send({ type: 'logout' });
    await new Promise((resolve) => setTimeout(resolve, asked ? LOGOUT_PATIENCE_MS : 0));
    await loggedOut();
  }

  function takeover() {
    if (Socket.state === 'CONFLICT') {
      reconnect();
    }
  }

  function reconnect() {
    show({ state: 'OPENING', mode: 'SYNCING', info: 'OPENING' });
    transport.connect();
  }

  function refreshQR() {
    transport.send({ type: 'refresh_refs' });
  }

  function requestCode(phone) {
    const request = crypto.randomUUID();
    const answer = new Promise((resolve) => codeRequests.set(request, resolve));
    if (!transport.send({ type: 'request_code', request, phone })) {
      codeRequests.delete(request);
      throw new Error('not connected to the server');
    }
    return answer;
  }

  function report() {
    transport.send({
      type: 'state', socket: Socket.state, stream: Stream.mode, info: Stream.info, url: location.pathname + location.search,
    });
  }

  Object.assign(exports, { start, logout, takeover, reconnect, refreshQR, requestCode });
});
