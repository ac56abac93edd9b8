/*
 * The page's modal dialogs: which are known, and their buttons. English texts: the browser runs with --lang=en-US.
 */
const DIALOGS = '[role="dialog"], [role="alertdialog"], [aria-modal="true"], [data-animate-modal-popup="true"]';
const WHATS_NEW = /what.{1,2}s new|new features|welcome to whatsapp/i;
const USE_HERE = /^\s*use (whatsapp )?here/i;

const visible = (element) => element.getClientRects().length > 0;
const dialogs = () =>
  [...document.querySelectorAll(DIALOGS)].filter((one) => visible(one) && !one.parentElement?.closest(DIALOGS));
const buttons = (element) => [...element.querySelectorAll('button, [role="button"]')].filter(visible);
const useHereButton = () =>
  [...document.querySelectorAll('button, [role="button"]')].find((one) => USE_HERE.test(one.textContent) && visible(one));
const isWhatsNew = (dialog) => WHATS_NEW.test(dialog.textContent);
const unknownDialogs = () =>
  dialogs().filter((one) => !isWhatsNew(one) && !buttons(one).some((button) => USE_HERE.test(button.textContent)));
const classOf = (element) =>
  [element.dataset.testid, element.id, element.className, element.getAttribute('role')]
    .find((name) => typeof name === 'string' && name)?.slice(0, 80) || 'dialog';
