/*
 * Sends one text. Answers {step}: 'ready', 'connected', 'number' and 'late' are the steps before the send at which it
 * stopped, 'failed' is a send that left no message in the page, 'doubt' one that left a message, and 'sent' a send that
 * WhatsApp answered, with ack and result.
 *
 * The message key decides the chat, because WhatsApp may file the chat of a number under another id.
 */
const functions = () => throughWaJs('functions');
const ready = () =>
  waJs().chat.sendTextMessage && throughWaJs('MsgKey').fromString && throughWaJs('ChatStore') &&
  functions().addAndSendMsgToChat && functions().findOrCreateLatestChat;
const connected = () =>
  (attempt(() => throughWaJs('Socket').state) || attempt(() => socketByName().state)) === 'CONNECTED';
/**
 * null when the number is not on WhatsApp. wa-js also answers null when the page has lost the function, so the function
 * is looked for first.
 */
const exists = async (number) =>
  functions().queryWidExists ? waJs().contact.queryExists(`${number}@c.us`) : 'cannot be asked';
const reasonOf = (error) => text(attempt(() => error.code)) || text(attempt(() => error.name)) || 'error';

const send = async ({ number, body, message_id, ready_ms, total_ms }) => {
  const end = performance.now() + total_ms;
  const left = () => Math.max(0, end - performance.now());
  if (!(await until(Math.min(ready_ms, total_ms), ready))) {
    return { step: 'ready' };
  }
  if (!connected()) {
    return { step: 'connected' };
  }
  const asked = await within(left(), exists(number), 'late').catch(() => 'cannot be asked');
  if (asked === null) {
    return { step: 'number' };
  }
  if (asked === 'late') {
    return { step: 'late' };
  }
  const key = throughWaJs('MsgKey').fromString(message_id);
  const known = () => attempt(() => throughWaJs('MsgStore').get(key));
  const sending = waJs().chat.sendTextMessage(key.remote.toString(), body, {
    messageId: message_id, waitForAck: true, linkPreview: false, markIsRead: false, createChat: true, detectMentioned: false,
  });
  const done = await within(left(), sending, null).catch((error) => ({ failure: reasonOf(error) }));
  if (done && done.failure) {
    return known() ? { step: 'doubt', ack: known().ack ?? 0, error: done.failure } : { step: 'failed', error: done.failure };
  }
  const ack = Math.max(attempt(() => done.ack) ?? 0, attempt(() => known().ack) ?? 0);
  const refused = attempt(() => done.ack) < 0 || attempt(() => known().ack) < 0;
  return { step: 'sent', ack: refused ? -1 : ack, result: text(attempt(() => done.sendMsgResult.messageSendResult)) };
};
return send(options);
