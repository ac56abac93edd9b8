/* {code}, or {error}: 'not ready', 'no answer', or the reason that WhatsApp gives. */
const pair = async ({ number, ms }) => {
  const start = () => attempt(() => waJs().conn.startLinkDeviceCodeForPhoneNumber);
  const plain = () => attempt(() => waJs().conn.genLinkDeviceCodeForPhoneNumber);
  if (!(await until(ms / 2, () => (start() || plain()) && throughWaJs('functions').genLinkDeviceCodeForPhoneNumber))) {
    return { error: 'not ready' };
  }
  const asked = start() ? start()(number) : plain()(number);
  return within(ms / 2, asked.then((code) => ({ code: text(code) })), { error: 'no answer' })
    .catch((error) => ({ error: text(attempt(() => error.code)) || 'refused' }));
};
return pair(options);
