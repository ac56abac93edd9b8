/*
 * Messages that must outlive the page: those in the outbox until the server has answered, and all of them afterwards.
 *
 * An unanswered message stays queued and leaves again after each login, with the same id, as on the real site; its
 * promise stays pending until then. An incoming message is confirmed to the server only when it is stored.
 */
__d('StandInMailbox', ['StandInStorage', 'StandInTransport', 'WAWebMsgKey', 'WAWebMsgCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const storage = require('StandInStorage');
  const transport = require('StandInTransport');
  const MsgKey = require('WAWebMsgKey');
  const { createWid } = require('WAWebWidFactory');
  const { MsgCollection } = require('WAWebMsgCollection');
  const { ChatCollection } = require('WAWebChatCollection');
  const { Socket } = require('WAWebSocketModel');
  const RECENT = 50;
  const waiting = new Map();

  const text = (id) => (id === undefined ? undefined : String(id));
  const rowOf = (message) => ({
    id: text(message.id), body: message.body, type: message.type, t: message.t, ack: message.ack,
    from: text(message.from), to: text(message.to), fromMe: message.id.fromMe,
  });
  const chatRow = (chat) => ({ id: text(chat.id), t: chat.t, unreadCount: chat.unreadCount });
  const letter = (row) => ({ type: 'message', id: row.id, to: row.to, text: row.body });

  function send(message) {
    const row = rowOf(message);
    const answered = new Promise((resolve) => waiting.set(row.id, [...(waiting.get(row.id) || []), resolve]));
    const stored = storage.transact('model-storage', ['message', 'outbox'], 'readwrite', (messages, outbox) => {
      messages.put(row);
      outbox.put(row);
    }).then(() => {
      if (Socket.state === 'CONNECTED') {
        transport.send(letter(row));
      }
    });
    return { stored, answered };
  }

  /** After each login: whatever the server has not answered yet. */
  async function sendQueued() {
    const rows = await storage.all('model-storage', 'outbox');
    rows.sort((a, b) => a.t - b.t).forEach((row) => transport.send(letter(row)));
  }

  async function answered(id, ack, result) {
    await storage.transact('model-storage', ['message', 'outbox'], 'readwrite', (messages, outbox) => {
      outbox.delete(id);
      setAck(messages, id, ack);
    });
    const model = MsgCollection.get(id);
    model?.set({ ack });
    (waiting.get(id) || []).forEach((resolve) => resolve({ messageSendResult: result, t: model?.t, count: null }));
    waiting.delete(id);
  }

  function setAck(messages, id, ack) {
    messages.get(id).onsuccess = ({ target }) => {
      if (target.result) {
        messages.put({ ...target.result, ack });
      }
    };
  }

  async function raiseAck(ids, ack) {
    for (const id of ids) {
      const model = MsgCollection.get(id);
      if (!model || model.ack < ack) {
        await storage.transact('model-storage', ['message'], 'readwrite', (messages) => setAck(messages, id, ack));
        model?.set({ ack });
      }
    }
  }

  async function receive(letters) {
    for (const { id, from, text: body, at } of letters) {
      if (!(await load(id))) {
        await takeIn({ id, from, body, t: Math.floor(Date.parse(at) / 1000) });
      }
    }
    transport.send({ type: 'received', ids: letters.map(({ id }) => id) });
  }

  async function takeIn({ id, from, body, t }) {
    const me = require('WAWebUserPrefsMeUser').getMaybeMePnUser();
    const message = { id: MsgKey.fromString(id), from: createWid(from), to: me, body, t, ack: 1, type: 'chat' };
    const model = await require('WAWebHandleSingleMsg').handleSingleMsg(message.from, { ...message, isNewMsg: true });
    await storage.transact('model-storage', ['message', 'chat'], 'readwrite', (messages, chats) => {
      messages.put(rowOf(model));
      chats.put(chatRow(ChatCollection.get(from)));
    });
  }

  /** The message of this id, from memory or from disk; undefined when there is none. */
  async function load(id) {
    const known = MsgCollection.get(id);
    const row = known ? null : await storage.get('model-storage', 'message', id);
    return known || (row && show(row));
  }

  function show(row) {
    const message = MsgCollection.add({
      ...row, id: MsgKey.fromString(row.id), from: createWid(row.from), to: createWid(row.to),
    });
    const chat = ChatCollection.get(message.id.remote) || ChatCollection.add({ id: message.id.remote, t: row.t });
    chat.msgs.add(message);
    return message;
  }

  const keepChat = (chat) => storage.put('model-storage', 'chat', chatRow(chat));

  /** Chats and the latest messages, as they were when the last page ended. */
  async function loadRecent() {
    const chats = await storage.all('model-storage', 'chat');
    chats.forEach((row) => ChatCollection.add({ ...row, id: createWid(row.id) }));
    const rows = [];
    await storage.transact('model-storage', ['message'], 'readonly', (messages) => {
      messages.index('t').openCursor(null, 'prev').onsuccess = ({ target: { result: cursor } }) => {
        if (cursor && rows.push(cursor.value) < RECENT) {
          cursor.continue();
        }
      };
    });
    rows.reverse().forEach(show);
  }

  Object.assign(exports, {
    send,
    sendQueued,
    receive,
    load,
    loadRecent,
    keepChat,
    raiseAck,
    acknowledged: (id) => answered(id, 1, 'OK'),
    refused: (id) => answered(id, -1, 'ERROR_UNKNOWN'),
  });
});
