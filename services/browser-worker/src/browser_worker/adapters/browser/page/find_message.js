/* {ack} of a message; null when the page does not know the message; 'not ready' when the page cannot be asked. */
const find = async ({ message_id, ms }) => {
  if (!throughWaJs('MsgKey') || !throughWaJs('MsgStore')) {
    return 'not ready';
  }
  const key = throughWaJs('MsgKey').fromString(message_id);
  const inMemory = attempt(() => throughWaJs('MsgStore').get(key));
  const message = inMemory || (await within(ms, waJs().chat.getMessageById(message_id), null).catch(() => null));
  return message ? { ack: message.ack ?? 0 } : null;
};
return find(options);
