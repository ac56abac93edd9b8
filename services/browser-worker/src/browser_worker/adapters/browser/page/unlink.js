/* Logs this device out. True when the page confirms it; the page navigates then, which may end this call. */
const socket = throughWaJs('Socket') || socketByName();
const leave = async ({ ms }) => {
  if (attempt(() => waJs().conn.logout) && throughWaJs('Cmd')) {
    return within(ms, waJs().conn.logout().then(() => true), false);
  }
  return Boolean(socket) && (socket.logout(), false);
};
return leave(options);
