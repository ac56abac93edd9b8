/*
 * Small doors that whatsapp-web.js and wa-js knock at while they start or send.
 */
__d('WAWebOfflineHandler', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  let percent = 0;
  exports.OfflineMessageHandler = {
    getOfflineDeliveryProgress: () => percent,
    setProgress(value) {
      percent = value;
      require('WAWebCmd').Cmd.trigger('offline_progress_update_from_bridge');
    },
  };
});

__d('WAWebCallCollection', ['WAWebEventEmitter'], function (global, require, importDefault, importNamespace, requireLazy, module) {
  class CallCollection extends require('WAWebEventEmitter') {
    constructor() {
      super();
      this.calls = new Map();
    }

    processIncomingCall(call) {
      this.calls.set(call.id, call);
      return call;
    }

    setActiveCall() {}
  }
  module.exports = new CallCollection();
});

__d('WAWebSyncGatingUtils', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.isPlaceholderMessageResendEnabled = () => false;
});

__d('WAWebUpdateUnreadChatAction', ['StandInMailbox'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.sendSeen = async (given) => {
    const chat = given.chat || given;
    chat.unreadCount = 0;
    await require('StandInMailbox').keepChat(chat);
  };
  exports.markUnread = async (chat) => {
    chat.unreadCount = -1;
  };
});

__d('WAWebChatGetters', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const of = (chat, question) => Boolean(chat.id?.[question]?.());
  Object.assign(exports, {
    getIsNewsletter: (chat) => of(chat, 'isNewsletter'),
    getIsBroadcast: (chat) => of(chat, 'isBroadcast'),
    getIsGroup: (chat) => of(chat, 'isGroup'),
    getIsUser: (chat) => of(chat, 'isUser'),
    getHasUnread: (chat) => chat.unreadCount !== 0,
    getShouldAppearInList: () => true,
    getPreviewMessage: (chat) => chat.msgs.last(),
    getShowChangeNumberNotification: () => false,
    getShouldShowUnreadDivider: () => false,
  });
});

__d('WALinkify', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const pattern = /\bhttps?:\/\/[^\s<>"]+/g;
  exports.findLinks = (text) =>
    [...String(text ?? '').matchAll(pattern)].map(([href]) => ({ href, url: href, suspiciousCharacters: null }));
  exports.findLink = (text) => exports.findLinks(text)[0];
});

__d('WAWebServerPropConstants', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.MAX_FILE_SIZE_BYTES = 100 * 1024 * 1024;
  exports.MULTICAST_LIMIT_GLOBAL = 5;
});
