/*
 * Names of things: people and chats (Wid), messages (MsgKey), and the small codecs around them.
 */
__d('WAWebWid', [], function (global, require, importDefault, importNamespace, requireLazy, module) {
  class Wid {
    constructor(serialized) {
      const [, user, agent, device, server] = /^([^@:_]*?)(?:_(\d+))?(?::(\d+))?@(.+)$/.exec(serialized) || [];
      if (!server) {
        throw new Error(`invalid wid`);
      }
      this.server = server === 's.whatsapp.net' ? 'c.us' : server;
      this.user = user;
      if (agent !== undefined) {
        this.agent = Number(agent);
      }
      if (device !== undefined) {
        this.device = Number(device);
      }
      this._serialized = `${user}${agent ? '_' + agent : ''}${device ? ':' + device : ''}@${this.server}`;
    }

    toString() {
      return this._serialized;
    }

    toJid() {
      return this._serialized.replace('@c.us', '@s.whatsapp.net');
    }

    equals(other) {
      return String(other?._serialized ?? other) === this._serialized;
    }

    isSameAccount(other) {
      return this.user === other?.user && this.server === other?.server;
    }

    getDeviceId() {
      return this.device ?? 0;
    }

    isUser() {
      return ['c.us', 'lid', 'bot', 'hosted', 'hosted.lid'].includes(this.server);
    }

    isGroup() {
      return this.server === 'g.us';
    }

    isBroadcast() {
      return this.server === 'broadcast';
    }

    isStatus() {
      return this._serialized === 'status@broadcast';
    }

    isLid() {
      return this.server === 'lid' || this.server === 'hosted.lid';
    }

    isNewsletter() {
      return this.server === 'newsletter';
    }

    isBot() {
      return this.server === 'bot';
    }

    isPSA() {
      return this._serialized === '0@c.us';
    }

    isServer() {
      return this._serialized === 'server@c.us';
    }

    isCompanion() {
      return Boolean(this.device);
    }

    isHosted() {
      return this.server.startsWith('hosted');
    }

    static isXWid(server, wid) {
      return String(wid?._serialized ?? wid).endsWith('@' + server);
    }

    static isWid(wid) {
      return wid instanceof Wid || /^[^@\s]+@[\w.]+$/.test(String(wid));
    }

    static equals(a, b) {
      return String(a) === String(b);
    }

    static user(wid) {
      return String(wid).split('@')[0];
    }
  }
  Wid.prototype.isStatusV3 = Wid.prototype.isStatus;
  Wid.prototype.isRegularUser = Wid.prototype.isUser;
  Wid.prototype.isUserNotPSA = function () {
    return this.isUser() && !this.isPSA();
  };
  for (const [name, server] of [['isUser', 'c.us'], ['isGroup', 'g.us'], ['isBroadcast', 'broadcast'], ['isLid', 'lid']]) {
    Wid[name] = (wid) => Wid.isXWid(server, wid);
  }
  module.exports = Wid;
});

__d('WAWebWidFactory', ['WAWebWid'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const Wid = require('WAWebWid');
  const createWid = (id) => (id instanceof Wid ? id : new Wid(String(id?._serialized ?? id)));
  const userOf = (id) => String(id).split('@')[0];
  const createUserWid = (user, server = 'c.us') => new Wid(`${userOf(user)}@${server}`);
  const withoutDevice = (wid) => new Wid(`${wid.user}@${wid.server}`);

  Object.assign(exports, {
    createWid,
    createWidFromWidLike: createWid,
    isWidlike: (id) => typeof id === 'object' && id !== null && typeof id._serialized === 'string',
    createUserWid,
    createUserWidOrThrow: createUserWid,
    createDeviceWid: createWid,
    createDeviceWidFromUserAndDevice: (user, server, device) => new Wid(`${user}:${device}@${server}`),
    toChatWid: withoutDevice,
    toUserWid: withoutDevice,
    asUserWidOrThrow: withoutDevice,
    toUserWidOrThrow: withoutDevice,
    asChatWid: createWid,
    userJidToUserWid: createWid,
    toGroupWid: createWid,
  });
});

__d('WAWebMsgKey', ['WAWebWidFactory', 'WARandomHex'], function (global, require, importDefault, importNamespace, requireLazy, module) {
  const { createWid } = require('WAWebWidFactory');

  class MsgKey {
    constructor(from) {
      if (from === null || from === undefined) {
        throw new Error('MsgKey error: obj is null/undefined');
      }
      this.fromMe = from.selfDir ? from.selfDir === 'out' : Boolean(from.fromMe);
      this.remote = from.remote || (this.fromMe ? from.to : from.from);
      this.id = from.id;
      if (from.participant) {
        this.participant = from.participant;
      }
      const parts = [this.fromMe, this.remote, this.id, this.participant];
      this._serialized = parts.filter((part) => part !== undefined).join('_');
    }

    toString() {
      return this._serialized;
    }

    clone() {
      return new MsgKey(this);
    }

    equals(other) {
      return String(other) === this._serialized;
    }

    static fromString(text) {
      const [fromMe, remote, id, participant] = String(text).split('_');
      if (!id || !['true', 'false'].includes(fromMe)) {
        throw new Error('invalid message key');
      }
      return new MsgKey({
        fromMe: fromMe === 'true',
        remote: createWid(remote),
        id,
        participant: participant && createWid(participant),
      });
    }

    static from(key) {
      return key instanceof MsgKey ? key : MsgKey.fromString(key);
    }

    static async newId() {
      return '3EB0' + require('WARandomHex').randomHex(9).toUpperCase();
    }
  }
  module.exports = MsgKey;
});

__d('WARandomHex', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.randomHex = (bytes) =>
    [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
});

__d('WABase64', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const bytesOf = (data) => (data instanceof ArrayBuffer ? new Uint8Array(data) : data);
  exports.encodeB64 = (data) => btoa(String.fromCharCode(...bytesOf(data)));
  exports.encodeB64UrlSafe = (data) => exports.encodeB64(data).replaceAll('+', '-').replaceAll('/', '_');
  exports.decodeB64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  exports.decodeB64UrlSafe = (text) => exports.decodeB64(text.replaceAll('-', '+').replaceAll('_', '/'));
});

__d('WATimeUtils', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.unixTimeMs = () => Date.now();
  exports.unixTime = () => Math.floor(Date.now() / 1000);
});
