/* What a person would click: refresh_qr, take_over, dismiss. Answers whether the page did it. */
const actions = {
  refresh_qr: () => {
    const cmd = throughWaJs('Cmd') || byName('WAWebCmd', 'Cmd');
    if (cmd && cmd.refreshQR) {
      cmd.refreshQR();
      return true;
    }
    const button = document.querySelector('[data-ref] button, [data-ref] [role="button"]');
    button?.click();
    return Boolean(button);
  },
  take_over: () => {
    const socket = throughWaJs('Socket') || socketByName();
    if (socket && socket.takeover) {
      socket.takeover();
      return true;
    }
    const button = useHereButton();
    button?.click();
    return Boolean(button);
  },
  dismiss: () => {
    const news = dialogs().filter(isWhatsNew);
    news.forEach((dialog) => buttons(dialog).at(-1)?.click());
    return news.length > 0;
  },
};
return actions[options.action]();
