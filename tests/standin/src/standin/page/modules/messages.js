/*
 * Messages and chats in memory, and the one way to send: `addAndSendMsgToChat` gives [message, result], the result
 * only when the server has answered. What must outlive the page is `StandInMailbox`'s.
 */
__d('WAWebMsgModel', ['WAWebBaseModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { BaseModel, defineModel } = require('WAWebBaseModel');

  class MsgModel extends BaseModel {
    updateAck(ack) {
      this.ack = ack;
    }

    getCollection() {
      return require('WAWebMsgCollection').MsgCollection;
    }

    msgContextInfo() {
      return { quotedStanzaID: this.id.id, quotedParticipant: this.from, quotedMsg: { type: this.type, body: this.body } };
    }

    safe() {
      return this;
    }

    unsafe() {
      return this;
    }
  }
  exports.Msg = defineModel('msg', {
    id: undefined, body: undefined, type: 'chat', t: undefined, from: undefined, to: undefined, self: undefined, ack: 0,
    isNewMsg: false, star: false, notifyName: undefined, author: undefined, latestEditMsgKey: undefined,
    caption: undefined, isEphemeral: false, isStatusV3: false,
  }, MsgModel);
});

__d('WAWebMsgCollection', ['WAWebBaseCollection', 'WAWebMsgModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  class MsgCollectionImpl extends require('WAWebBaseCollection').BaseCollection {
    async getMessagesById(ids) {
      const found = await Promise.all(ids.map((id) => require('StandInMailbox').load(String(id))));
      return { messages: found.filter(Boolean) };
    }

    async processMultipleMessages(chatId, messages) {
      return messages.map((message) => this.add(message));
    }
  }
  MsgCollectionImpl.model = require('WAWebMsgModel').Msg;
  exports.MsgCollectionImpl = MsgCollectionImpl;
  exports.MsgCollection = new MsgCollectionImpl();
});

__d('WAWebChatMsgsCollection', ['WAWebMsgCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  class ChatMsgsCollection extends require('WAWebBaseCollection').BaseCollection {
    constructor() {
      super();
      this.msgLoadState = { noEarlierMsgs: true, contextLoaded: true };
    }
  }
  ChatMsgsCollection.model = require('WAWebMsgModel').Msg;
  exports.ChatMsgsCollection = ChatMsgsCollection;
});

__d('WAWebChatModel', ['WAWebBaseModel', 'WAWebChatMsgsCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { BaseModel, defineModel } = require('WAWebBaseModel');

  class ChatModel extends BaseModel {
    initialize() {
      Object.defineProperties(this, {
        msgs: { value: new (require('WAWebChatMsgsCollection').ChatMsgsCollection)() },
        presence: { value: { id: this.id, subscribe: async () => undefined } },
        mute: { value: { expiration: 0 } },
      });
    }

    get lastReceivedKey() {
      return this.msgs.last()?.id;
    }

    get formattedTitle() {
      return this.name || this.id.user;
    }

    serialize() {
      return { ...super.serialize(), msgs: this.msgs.serialize(), formattedTitle: this.formattedTitle };
    }
  }
  exports.Chat = defineModel('chat', {
    id: undefined, name: undefined, t: 0, unreadCount: 0, archive: false, pin: 0, isReadOnly: false, active: false,
    labels: undefined, groupMetadata: undefined, newsletterMetadata: undefined,
  }, ChatModel);
});

__d('WAWebChatCollection', ['WAWebBaseCollection', 'WAWebChatModel'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  class ChatCollectionImpl extends require('WAWebBaseCollection').BaseCollection {
    async find(id) {
      return (await require('WAWebFindChatAction').findOrCreateLatestChat(id)).chat;
    }
  }
  ChatCollectionImpl.model = require('WAWebChatModel').Chat;
  exports.ChatCollectionImpl = ChatCollectionImpl;
  exports.ChatCollection = new ChatCollectionImpl();
});

__d('WAWebFindChatAction', ['WAWebChatCollection', 'WAWebWidFactory'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { ChatCollection } = require('WAWebChatCollection');
  const { createWid } = require('WAWebWidFactory');

  async function findOrCreateLatestChat(id) {
    const known = ChatCollection.get(id);
    const chat = known || ChatCollection.add({ id: createWid(id), t: Math.floor(Date.now() / 1000) });
    if (!known) {
      await require('StandInMailbox').keepChat(chat);
    }
    return { chat, created: !known };
  }
  exports.findOrCreateLatestChat = findOrCreateLatestChat;
  exports.findExistingChat = async (id) => ChatCollection.get(id);
});

__d('WAWebSendMsgChatAction', ['WAWebMsgCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { MsgCollection } = require('WAWebMsgCollection');

  exports.addAndSendMsgToChat = function (chat, data) {
    const message = MsgCollection.add(data);
    chat.msgs.add(message);
    chat.t = message.t;
    const queued = require('StandInMailbox').send(message);
    return [queued.stored.then(() => message), queued.answered];
  };
});

__d('WAWebSendMsgResultAction', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.SendMsgResult = Object.fromEntries(
    ['OK', 'ERROR_NETWORK', 'ERROR_EXPIRED', 'ERROR_CANCELLED', 'ERROR_UPLOAD', 'ERROR_UNKNOWN'].map((n) => [n, n]),
  );
});

__d('WAWebGetEphemeralFieldsMsgActionsUtils', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.getEphemeralFields = () => ({});
});

__d('WAWebAck', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.ACK = {
    MD_DOWNGRADE: -7, INACTIVE: -6, CONTENT_UNUPLOADABLE: -5, CONTENT_TOO_BIG: -4, CONTENT_GONE: -3, EXPIRED: -2,
    FAILED: -1, CLOCK: 0, SENT: 1, RECEIVED: 2, READ: 3, PLAYED: 4, PEER: 5,
  };
  exports.ACK_STRING = { SENDER: 'sender', DELIVERY: 'delivery', READ: 'read', PLAYED: 'played', INACTIVE: 'inactive' };
  exports.EDIT_ATTR = { SENDER_REVOKE: 7, ADMIN_REVOKE: 8 };
});

__d('WAWebMsgType', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.MSG_TYPE = { CHAT: 'chat', IMAGE: 'image', PROTOCOL: 'protocol', CIPHERTEXT: 'ciphertext', REVOKED: 'revoked' };
  exports.SYSTEM_MESSAGE_TYPES = ['e2e_notification', 'gp2', 'notification_template'];
});

__d('WAWebHandleMsgReceipt', ['StandInMailbox'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const apply = (data) => require('StandInMailbox').raiseAck(data.externalIds, data.ack);
  exports.handleChatSimpleReceipt = async (data) => apply(data);
  exports.handleGroupSimpleReceipt = async (data) => apply(data);
  exports.handleStatusSimpleReceipt = async (data) => apply(data);
});

__d('WAWebHandleSingleMsg', ['WAWebMsgCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.handleSingleMsg = async (chatId, message) => {
    const { chat } = await require('WAWebFindChatAction').findOrCreateLatestChat(chatId);
    const [model] = await require('WAWebMsgCollection').MsgCollection.processMultipleMessages(chatId, [message]);
    chat.msgs.add(model);
    chat.t = model.t;
    chat.unreadCount += 1;
    return model;
  };
});

__d('WAWebChatMessageSearch', ['StandInMailbox'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.getSearchContext = function (chat, msgKey) {
    chat.msgs.loadAroundPromise = require('StandInMailbox').load(String(msgKey));
    return { collection: chat.msgs, key: msgKey, highlightMsg: true };
  };
});

__d('WAWebDBMessageFindLocal', ['WAWebChatCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.msgFindByDirection = async ({ anchor, count, direction }) => {
    const messages = require('WAWebChatCollection').ChatCollection.get(anchor.remote)?.msgs.getModelsArray() || [];
    const at = messages.findIndex((message) => message.id.equals(anchor));
    return direction === 'after' ? messages.slice(at + 1, at + 1 + count) : messages.slice(Math.max(at - count, 0), at);
  };
  exports.msgFindBefore = (query) => exports.msgFindByDirection({ ...query, direction: 'before' });
  exports.msgFindAfter = (query) => exports.msgFindByDirection({ ...query, direction: 'after' });
});

__d('WAWebMsgReply', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.canReplyMsg = () => true;
});

__d('WAWebMsgDataFromModel', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  exports.msgDataFromMsgModel = (message) => message.serialize();
});

__d('WAWebCollections', ['WAWebMsgCollection', 'WAWebChatCollection', 'WAWebContactCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const { BaseCollection } = require('WAWebBaseCollection');
  const { defineModel } = require('WAWebBaseModel');
  const empty = (proxyName) => {
    class Collection extends BaseCollection {}
    Collection.model = defineModel(proxyName, { id: undefined });
    return new Collection();
  };
  exports.Msg = require('WAWebMsgCollection').MsgCollection;
  exports.Chat = require('WAWebChatCollection').ChatCollection;
  exports.Contact = require('WAWebContactCollection').ContactCollection;
  exports.GroupMetadata = empty('group-metadata');
  exports.Blocklist = empty('blocklist');
  exports.BusinessProfile = empty('business-profile');
  exports.WAWebNewsletterCollection = empty('newsletter');
});
