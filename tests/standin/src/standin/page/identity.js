/*
 * Who this page is: two halves that are worth nothing alone.
 *
 * localStorage holds the login as ciphertext (`WANoiseInfo`, `WANoiseInfoIv`) and the own number (`last-wid-md`);
 * IndexedDB holds the key to it, which cannot be exported, and the signal keys that sign the server's challenge.
 * A page that finds one half missing shows the QR code and writes new keys over the other half.
 */
__d('StandInIdentity', ['StandInStorage', 'WABase64'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const storage = require('StandInStorage');
  const { encodeB64, decodeB64 } = require('WABase64');
  const ALGORITHM = 'AES-GCM';
  let noise = null;
  let signal = null;

  async function stored() {
    const [key, keys] = await Promise.all([
      storage.get('wawc_db_enc', 'keys', 1),
      storage.get('signal-storage', 'signal-meta-store', 'signal_registration'),
    ]);
    const items = ['WANoiseInfo', 'WANoiseInfoIv', 'last-wid-md', 'WALid'];
    const local = Object.fromEntries(items.map((name) => [name, localStorage.getItem(name)]));
    const missing = items.filter((name) => !local[name]).map((name) => `localStorage lacks ${name}`);
    if (!key) {
      missing.push('IndexedDB lacks the encryption key');
    }
    if (!keys) {
      missing.push('IndexedDB lacks the signal keys');
    }
    return { key, keys, local, missing };
  }

  async function decrypted({ key, local }) {
    const iv = new Uint8Array(decodeB64(local.WANoiseInfoIv));
    const plain = await crypto.subtle.decrypt({ name: ALGORITHM, iv }, key.key, decodeB64(local.WANoiseInfo));
    return JSON.parse(new TextDecoder().decode(plain));
  }

  /** Whether a login is there, and what is missing of it; changes nothing. */
  async function check() {
    const found = await stored();
    if (found.missing.length) {
      return { present: false, problems: found.missing };
    }
    try {
      const info = await decrypted(found);
      return info.token ? { present: true, problems: [] } : { present: false, problems: ['the login has no token'] };
    } catch {
      return { present: false, problems: ['the login in localStorage does not fit the key in IndexedDB'] };
    }
  }

  /** Read the stored login into memory; true when there is one. */
  async function load() {
    const found = await stored();
    if (found.missing.length) {
      return false;
    }
    const info = await decrypted(found).catch(() => null);
    if (!info?.token) {
      return false;
    }
    noise = info;
    signal = found.keys;
    return true;
  }

  /** Make the keys that a QR code shows, over whatever was there. */
  async function prepare() {
    const random = (size) => crypto.getRandomValues(new Uint8Array(size));
    const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
    const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
    const key = await crypto.subtle.generateKey({ name: ALGORITHM, length: 256 }, false, ['encrypt', 'decrypt']);
    signal = { key: 'signal_registration', registrationId: random(2)[0], privateKey: pair.privateKey, publicKey };
    noise = { staticKey: encodeB64(random(32)), advSecretKey: encodeB64(random(32)), token: null };
    await Promise.all([
      storage.put('wawc_db_enc', 'keys', { id: 1, key }),
      storage.put('signal-storage', 'signal-meta-store', signal),
    ]);
    await keep(key);
  }

  /** The phone has linked this page. */
  async function linked({ token, wid, lid }) {
    noise.token = token;
    const { key } = await storage.get('wawc_db_enc', 'keys', 1);
    await keep(key);
    localStorage.setItem('last-wid-md', JSON.stringify(wid));
    localStorage.setItem('WALid', JSON.stringify(lid));
  }

  async function keep(key) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const plain = new TextEncoder().encode(JSON.stringify(noise));
    const cipher = await crypto.subtle.encrypt({ name: ALGORITHM, iv }, key, plain);
    localStorage.setItem('WANoiseInfo', encodeB64(cipher));
    localStorage.setItem('WANoiseInfoIv', encodeB64(iv));
  }

  async function sign(text) {
    return encodeB64(await crypto.subtle.sign('Ed25519', signal.privateKey, new TextEncoder().encode(text)));
  }

  async function wipe() {
    noise = signal = null;
    await storage.wipe();
  }

  Object.assign(exports, {
    check,
    load,
    prepare,
    linked,
    sign,
    wipe,
    isLoggedIn: () => Boolean(noise?.token),
    token: () => noise.token,
    advSecretKey: () => noise?.advSecretKey,
    noiseInfo: () => ({ staticKeyPair: { pubKey: decodeB64(noise.staticKey), privKey: new ArrayBuffer(32) } }),
    registrationInfo: () => ({
      registrationId: signal.registrationId,
      identityKeyPair: { pubKey: signal.publicKey.buffer, privKey: new ArrayBuffer(32) },
    }),
    publicKeys: () => ({
      static: noise.staticKey,
      identity: encodeB64(signal.publicKey),
      secret: noise.advSecretKey,
      platform: require('WAWebCompanionRegClientUtils').DEVICE_PLATFORM,
    }),
  });
});
