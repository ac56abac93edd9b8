/*
 * Runs `script` where the site itself is shown, and nowhere else. A page cannot replace `location`, and it is compared
 * without a function that the page could replace. A blob: page has the origin of the page that made it.
 */
const onSite = async (site, script) => {
  if (location.origin !== site || location.protocol === 'blob:') {
    return { elsewhere: location.protocol };
  }
  return { site: location.origin, answer: await script() };
};
