/*
 * Old messages in IndexedDB, as many as were asked for, written as fast as was asked for.
 *
 * In every copy of the profile the following holds: sequence numbers follow one another without a gap from
 * `meta.firstSeq` to `meta.lastSeq`, each record carries the checksum of its content, and the `meta` record was written
 * in the same transaction as the records that it speaks of.
 */
__d('StandInHistory', ['StandInStorage'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const storage = require('StandInStorage');
  const RECORD_BYTES = 4096;
  const BATCH = 64;
  const SMALLEST_RING_BYTES = 1 << 20;
  const TICK_MS = 20;
  let wanted = { bytes: 0, rate: 0 };
  let working = null;

  function checksum(seq, body) {
    let hash = 0x811c9dc5 ^ seq;
    for (let index = 0; index < body.length; index += 1) {
      hash = Math.imul(hash ^ body[index], 0x01000193);
    }
    return hash >>> 0;
  }

  function record(seq) {
    const body = crypto.getRandomValues(new Uint8Array(RECORD_BYTES));
    return { seq, chat: `20100000${String(seq % 97).padStart(4, '0')}@c.us`, body, sum: checksum(seq, body) };
  }

  const emptyMeta = () => ({ key: 'history', firstSeq: 1, lastSeq: 0 });
  const readMeta = async () => (await storage.get('model-storage', 'meta', 'history')) || emptyMeta();
  const bytesOf = (meta) => (meta.lastSeq - meta.firstSeq + 1) * RECORD_BYTES;

  /** Add `count` records behind the last, and drop the oldest beyond `limit` bytes, in one transaction. */
  function append(meta, count, limit) {
    const first = meta.firstSeq;
    const added = Array.from({ length: count }, (_, index) => record(meta.lastSeq + 1 + index));
    meta.lastSeq += count;
    while (bytesOf(meta) > limit && meta.firstSeq < meta.lastSeq) {
      meta.firstSeq += 1;
    }
    // `meta` may change before this transaction runs; the transaction must write what was true here.
    const now = { ...meta };
    return storage.transact('model-storage', ['history', 'meta'], 'readwrite', (rows, metas) => {
      added.forEach((one) => rows.put(one));
      if (now.firstSeq > first) {
        rows.delete(IDBKeyRange.bound(first, now.firstSeq - 1));
      }
      metas.put(now);
    });
  }

  async function fill(meta) {
    while (bytesOf(meta) + RECORD_BYTES <= wanted.bytes) {
      await append(meta, Math.min(BATCH, Math.floor((wanted.bytes - bytesOf(meta)) / RECORD_BYTES)), wanted.bytes);
    }
  }

  async function turn(meta) {
    let due = 0;
    let before = performance.now();
    while (wanted.rate > 0 && bytesOf(meta) + RECORD_BYTES > wanted.bytes) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      const now = performance.now();
      due = Math.min(due + (wanted.rate * (now - before)) / 1000, wanted.rate);
      before = now;
      const limit = Math.max(wanted.bytes, SMALLEST_RING_BYTES);
      const writes = [];
      for (; due >= 1; due -= 1) {
        writes.push(append(meta, 1, limit));
      }
      await Promise.all(writes);
    }
  }

  async function work() {
    const meta = await readMeta();
    do {
      await fill(meta);
      await turn(meta);
    } while (bytesOf(meta) + RECORD_BYTES <= wanted.bytes);
  }

  /** Set the size and the rate; starts the writing or changes it. */
  function want({ target_mb: megabytes, rate_per_s: rate }) {
    wanted = { bytes: megabytes * (1 << 20), rate };
    working ??= work()
      .catch((error) => console.error(`history stopped: ${error}`))
      .finally(() => {
        working = null;
      });
  }

  Object.assign(exports, { want, checksum, readMeta, bytesOf });
});
