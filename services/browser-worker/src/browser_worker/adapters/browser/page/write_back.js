/*
 * Writes exported localStorage back before the site's scripts run, when the export is newer than the page's own.
 *
 * Both hold a sequence number. A lower number of the page means that the file on disk is the state of an earlier
 * moment, so the export replaces it whole. The worker removes this script after its first run, because a logout in the
 * same browser must stay a logout.
 */
const report = (verdict) => {
  const push = () => (window.__psWake ? window.__psWake(exported.push + verdict) : setTimeout(push, 5));
  push();
};
const writeBack = () => {
  const own = Number(localStorage.getItem(exported.key)) || 0;
  if (own >= exported.sequence || new URLSearchParams(location.search).get('post_logout')) {
    return report('left');
  }
  localStorage.clear();
  for (const [name, value] of Object.entries(exported.entries)) {
    localStorage.setItem(name, value);
  }
  localStorage.setItem(exported.key, String(exported.sequence));
  return report('written');
};
writeBack();
