/*
 * Puts carried localStorage back before the site's scripts run, when the file is older than the carried copy.
 *
 * Its sequence tells: the file is then the state of an earlier moment, so the carried copy replaces it whole. The
 * worker takes this script away after its first run, for a logout in the same browser must stay one.
 */
const told = (verdict) => {
  const say = () => (window.__psWake ? window.__psWake('carried:' + verdict) : setTimeout(say, 5));
  say();
};
const putBack = () => {
  const mine = Number(localStorage.getItem(carried.key)) || 0;
  if (mine >= carried.sequence || new URLSearchParams(location.search).get('post_logout')) {
    return told('left');
  }
  localStorage.clear();
  for (const [name, value] of Object.entries(carried.entries)) {
    localStorage.setItem(name, value);
  }
  localStorage.setItem(carried.key, String(carried.sequence));
  return told('written');
};
putBack();
