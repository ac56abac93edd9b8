/*
 * What everyone reads to know how the session does: Socket, Stream, Conn, the own number, the buses and the constants.
 * Values are set by `StandInSession` alone.
 */
__d('WAWebSocketConstants', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const same = (...names) => Object.fromEntries(names.map((name) => [name, name]));
  exports.SOCKET_STATE = same(
    'OPENING', 'PAIRING', 'UNPAIRED', 'UNPAIRED_IDLE', 'CONNECTED', 'TIMEOUT', 'CONFLICT', 'UNLAUNCHED', 'PROXYBLOCK',
    'TOS_BLOCK', 'SMB_TOS_BLOCK', 'DEPRECATED_VERSION',
  );
  exports.SOCKET_STREAM = same('DISCONNECTED', 'SYNCING', 'RESUMING', 'CONNECTED');
  exports.WATCHED_SOCKET_STATE = same('OPEN', 'CLOSED');
});

__d('WAWebSocketModel', ['WAWebBaseModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { BaseModel, defineModel } = require('WAWebBaseModel');
  const session = () => require('StandInSession');

  class SocketModel extends BaseModel {
    logout() {
      return session().logout();
    }

    takeover() {
      return session().takeover();
    }

    poke() {
      return session().refreshQR();
    }

    reconnect() {
      return session().reconnect();
    }
  }
  exports.Socket = new (defineModel('socket', {
    state: 'OPENING',
    stream: 'DISCONNECTED',
    hasSynced: false,
    isIncognito: false,
    retryTimestamp: undefined,
  }, SocketModel))();
});

__d('WAWebStreamModel', ['WAWebBaseModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { BaseModel, defineModel } = require('WAWebBaseModel');

  class StreamModel extends BaseModel {
    markAvailable() {
      this.available = true;
    }

    markUnavailable() {
      this.available = false;
    }
  }
  exports.Stream = new (defineModel('stream', {
    mode: 'SYNCING',
    info: 'OPENING',
    displayInfo: 'OPENING',
    available: false,
    needsUpdate: false,
  }, StreamModel))();
});

__d('WAWebConnModel', ['WAWebBaseModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { defineModel } = require('WAWebBaseModel');
  exports.Conn = new (defineModel('conn', {
    ref: undefined,
    refTTL: undefined,
    connected: false,
    wid: undefined,
    pushname: undefined,
    platform: undefined,
    battery: undefined,
    plugged: undefined,
    isSMB: false,
    locales: 'en',
  }))();
});

__d('WAWebNetworkStatusModel', ['WAWebBaseModel'], function (global, require, importDefault, importNamespace, requireLazy, module) {
  const { BaseModel, defineModel } = require('WAWebBaseModel');

  class NetworkStatusModel extends BaseModel {
    checkOnline() {
      this.online = navigator.onLine;
      return this.online;
    }
  }
  const status = new (defineModel('networkstatus', { online: navigator.onLine }, NetworkStatusModel))();
  addEventListener('online', () => status.checkOnline());
  addEventListener('offline', () => status.checkOnline());
  module.exports = status;
});

__d('WAWebUserPrefsMeUser', ['WAWebWidFactory'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { createWid, toUserWid } = require('WAWebWidFactory');
  let devicePn;
  let deviceLid;
  const user = (device) => device && toUserWid(device);
  const orThrow = (read) => () => {
    const wid = read();
    if (!wid) {
      throw new Error('getMe: not logged in');
    }
    return wid;
  };
  const getMaybeMeDevicePn = () => devicePn;
  const getMaybeMeDeviceLid = () => deviceLid;
  const getMaybeMePnUser = () => user(devicePn);
  const getMaybeMeLidUser = () => user(deviceLid);

  Object.assign(exports, {
    setMe: (pn, lid) => {
      devicePn = pn && createWid(pn);
      deviceLid = lid && createWid(lid);
    },
    getMe: () => devicePn,
    getMaybeMeDevicePn,
    getMaybeMeDeviceLid,
    getMaybeMePnUser,
    getMaybeMeLidUser,
    getMeDevicePnOrThrow: orThrow(getMaybeMeDevicePn),
    getMeDeviceLidOrThrow: orThrow(getMaybeMeDeviceLid),
    getMePnUserOrThrow: orThrow(getMaybeMePnUser),
    getMeLidUserOrThrow: orThrow(getMaybeMeLidUser),
    getMePNandLIDWids: () => [getMaybeMePnUser(), getMaybeMeLidUser()],
    getMaybeMeDisplayName: () => require('WAWebConnModel').Conn.pushname,
    isMeAccount: (wid) => [devicePn, deviceLid].some((me) => me && wid && me.isSameAccount(wid)),
    isMePrimary: (wid) => exports.isMeAccount(wid) && wid.getDeviceId() === 0,
  });
});

__d('WAWebUserPrefsLoginTokens', ['StandInIdentity'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.isLoggedIn = () => require('StandInIdentity').isLoggedIn();
});

__d('WAWebUserPrefsRegistration', ['StandInIdentity'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.isRegistered = () => require('StandInIdentity').isLoggedIn();
});

__d('WAWebCmd', ['WAWebEventEmitter'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const EventEmitter = require('WAWebEventEmitter');

  class CmdImpl extends EventEmitter {
    constructor() {
      super();
      this.isMainLoaded = false;
      this.uiBusy = 0;
    }

    mainLoaded() {
      this.isMainLoaded = true;
      this.trigger('main_loaded');
    }

    refreshQR() {
      require('StandInSession').refreshQR();
    }

    openChatBottom(given) {
      const chat = given?.chat || given;
      require('WAWebChatCollection').ChatCollection.forEach((other) => {
        other.active = other === chat;
      });
      return Promise.resolve(true);
    }

    closeChat() {
      return Promise.resolve();
    }
  }
  exports.CmdImpl = CmdImpl;
  exports.Cmd = new CmdImpl();
});

__d('WAWebBackendEventBus', ['WAWebEventEmitter'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const names = [
    'app_state_sync_completed', 'logout', 'refresh_qr', 'starting_logout', 'on_initial_chat_synced',
    'on_critical_sync_done', 'storage_initialization_error', 'socket_stream_disconnected', 'open_socket_stream',
    'reconnect_socket', 'set_socket_state', 'account_temporarily_banned', 'unexpected_logout_modal',
    'initial_load_ready', 'main_stream_mode_ready', 'service_unavailable_503', 'offline_process_ready',
    'offline_delivery_end',
  ];
  exports.BackendEvent = Object.fromEntries(names.map((name) => [name.toUpperCase(), name]));
  exports.BackendEventBus = new (class BackendEventBus extends require('WAWebEventEmitter') {})();
});

__d('WAWebUserPrefsProfile', ['WAWebConnModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.getPushname = () => require('WAWebConnModel').Conn.pushname;
  exports.setBrowserId = () => undefined;
  exports.getUserPrivacySettings = () => ({});
});

__d('WAWebLogoutReason', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.LOGOUT_REASON_CODE = {
    CLIENT_FATAL: '0', SYNC_FAIL: '1', INITIAL_HISTORY_SYNC_TIMEOUT: '2', ACCOUNT_LOCKED: '3',
  };
  exports.LogoutReason = {
    UserInitiated: 'user_initiated', UnknownCompanion: 'unknown_companion', AccountLocked: 'account_locked',
    ClientVersionOutdated: 'client_version_outdated', StorageQuotaExceeded: 'storage_quota_exceeded',
  };
});

__d('WAWebLogoutReasonUtils', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  let previous = null;
  exports.getErrorCodeFromLogoutReason = (reason) => (reason === 'account_locked' ? '3' : '0');
  exports.setPrevLogoutReasonCode = (code) => {
    previous = code;
  };
  exports.getPrevLogoutReasonCode = () => previous;
  exports.setPrevCustomLogoutMessage = () => undefined;
  exports.getPrevCustomLogoutMessage = () => null;
});

__d('WAWebBuildConstants', ['StandInConfig'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const version = require('StandInConfig').version;
  const [primary, secondary, tertiary] = version.split('.');
  Object.assign(exports, {
    VERSION_STR: version,
    VERSION_BASE: version,
    VERSION_PRIMARY: primary,
    VERSION_SECONDARY: secondary,
    VERSION_TERTIARY: tertiary,
    SANITIZED_VERSION_STR: version,
    WINDOWS_BUILD: null,
  });
});

__d('WAWebEnvironment', [], function (global, require, importDefault, importNamespace, requireLazy, module) {
  module.exports = { isWeb: true, isWindows: false, isGuest: false };
});

__d('WAWebMiscBrowserUtils', [], function (global, require, importDefault, importNamespace, requireLazy, module) {
  module.exports = {
    id: () => 'standin',
    info: () => ({ os: 'Linux', version: '1', name: 'Chrome', ua: navigator.userAgent }),
    hardRefresh: () => location.reload(),
    startDownloading() {},
    clearDownloading() {},
    isDownloading: () => false,
  };
});
