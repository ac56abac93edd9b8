/* The whole localStorage, after the next sequence number was written into it. */
const sequence = Math.max(Number(localStorage.getItem(options.key)) || 0, options.floor) + 1;
localStorage.setItem(options.key, String(sequence));
const entries = {};
for (let index = 0; index < localStorage.length; index += 1) {
  const name = localStorage.key(index);
  entries[name] = localStorage.getItem(name);
}
return { origin: location.origin, sequence, entries };
