/* {ack} of a message, null when the page does not know it, 'not ready' when it cannot be asked. */
const find = async ({ message_id, ms }) => {
  if (!throughWaJs('MsgKey') || !throughWaJs('MsgStore')) {
    return 'not ready';
  }
  const key = throughWaJs('MsgKey').fromString(message_id);
  const here = attempt(() => throughWaJs('MsgStore').get(key));
  const message = here || (await within(ms, waJs().chat.getMessageById(message_id), null).catch(() => null));
  return message ? { ack: message.ack ?? 0 } : null;
};
return find(options);
