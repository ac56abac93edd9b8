/*
 * The modal dialogs of the page: which are known, and their buttons. The texts are English, because the browser runs
 * with --lang=en-US.
 */
const DIALOGS = '[role="dialog"], [role="alertdialog"], [aria-modal="true"], [data-animate-modal-popup="true"]';
const WHATS_NEW = /what.{1,2}s new|new features|welcome to whatsapp/i;
const USE_HERE = /^\s*use (whatsapp )?here/i;

const visible = (element) => element.getClientRects().length > 0;
const dialogs = () =>
  [...document.querySelectorAll(DIALOGS)].filter((dialog) => visible(dialog) && !dialog.parentElement?.closest(DIALOGS));
const buttons = (element) => [...element.querySelectorAll('button, [role="button"]')].filter(visible);
const useHereButton = () =>
  [...document.querySelectorAll('button, [role="button"]')].find((button) => USE_HERE.test(button.textContent) && visible(button));
const isWhatsNew = (dialog) => WHATS_NEW.test(dialog.textContent);
const unknownDialogs = () =>
  dialogs().filter((dialog) => !isWhatsNew(dialog) && !buttons(dialog).some((button) => USE_HERE.test(button.textContent)));
const classOf = (element) =>
  [element.dataset.testid, element.id, element.className, element.getAttribute('role')]
    .find((name) => typeof name === 'string' && name)?.slice(0, 80) || 'dialog';
