/* Which of the named lookups the page answers: {name: boolean}. `wa-js:a.b` is WPP.whatsapp.a.b, or WPP.chat.*. */
const answered = (name) => {
  const [tier, path] = name.split(':');
  if (tier === 'module') {
    return Boolean(required(path));
  }
  const root = path.startsWith('chat.') ? waJs() : attempt(() => waJs().whatsapp);
  return Boolean(attempt(() => path.split('.').reduce((value, key) => value[key], root)));
};
return {
  found: Object.fromEntries(options.lookups.map((name) => [name, answered(name)])),
  page_version: pageVersion(),
  wa_js_version: text(attempt(() => window.WPP.version)),
};
