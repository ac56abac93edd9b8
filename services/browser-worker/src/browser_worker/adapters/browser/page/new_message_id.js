/* A new message key for a number, as text; '' when the page cannot make a key now. */
const make = async ({ number, ms }) => {
  const wid = `${number}@c.us`;
  const exists = await within(ms / 2, attempt(() => waJs().contact.queryExists(wid)), null).catch(() => null);
  const chat = exists ? await within(ms / 2, attempt(() => waJs().chat.find(wid)), null).catch(() => null) : null;
  const key = await within(ms / 2, attempt(() => waJs().chat.generateMessageID((chat && chat.id) || wid)), null);
  return text(attempt(() => key.toString()));
};
return make(options).catch(() => '');
