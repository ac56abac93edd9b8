/*
 * What must hold in a profile however its last browser ended: `window.__standin.checkInvariants()`.
 * Reads only; needs the page, not the websocket.
 */
__d('StandInInvariants', ['StandInStorage', 'StandInHistory', 'StandInIdentity'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const storage = require('StandInStorage');
  const history = require('StandInHistory');
  const PIECE = 512;
  const FEW = 20;

  /** One transaction sees one state, so the records and what `meta` says of them must agree. */
  function readHistory() {
    let records = 0;
    let meta;
    const problems = [];
    return storage.transact('model-storage', ['history', 'meta'], 'readonly', (rows, metas) => {
      let expected = null;
      const verify = ({ seq, body, sum }) => {
        records += 1;
        if (expected !== null && seq !== expected) {
          problems.push(`history: ${seq} follows ${expected - 1}`);
        }
        if (history.checksum(seq, body) !== sum) {
          problems.push(`history: record ${seq} is damaged`);
        }
        expected = seq + 1;
      };
      const next = (after) => {
        rows.getAll(IDBKeyRange.lowerBound(after, true), PIECE).onsuccess = ({ target }) => {
          target.result.forEach(verify);
          if (target.result.length) {
            next(target.result.at(-1).seq);
          }
        };
      };
      metas.get('history').onsuccess = ({ target }) => {
        meta = target.result;
        next(meta ? meta.firstSeq - 1 : 0);
      };
      rows.count().onsuccess = ({ target }) => {
        if (meta && target.result !== meta.lastSeq - meta.firstSeq + 1) {
          problems.push(`history: ${target.result} records where meta says ${meta.firstSeq} to ${meta.lastSeq}`);
        }
        if (!meta && target.result) {
          problems.push('history: records without meta');
        }
      };
    }).then(() => ({ records, lastSeq: meta?.lastSeq ?? 0, problems }));
  }

  async function readMailbox() {
    const [messages, outbox] = await Promise.all([
      storage.transact('model-storage', ['message'], 'readonly', (rows) => rows.getAllKeys()),
      storage.transact('model-storage', ['outbox'], 'readonly', (rows) => rows.getAllKeys()),
    ]);
    const known = new Set(messages);
    const problems = outbox.filter((id) => !known.has(id)).map((id) => `outbox: ${id} is no message`);
    return { queued: outbox.length, problems };
  }

  /** {ok, problems, records, lastSeq, queued, loginPresent}; `ok` says that nothing is damaged, not that a login is there. */
  exports.checkInvariants = async function () {
    try {
      const [read, mailbox, login] = await Promise.all([
        readHistory(), readMailbox(), require('StandInIdentity').check(),
      ]);
      const problems = [...read.problems, ...mailbox.problems];
      return {
        ok: problems.length === 0,
        problems: problems.slice(0, FEW),
        records: read.records,
        lastSeq: read.lastSeq,
        queued: mailbox.queued,
        loginPresent: login.present,
        loginProblems: login.problems,
      };
    } catch (error) {
      const problems = [`storage: ${error}`];
      return { ok: false, problems, records: 0, lastSeq: 0, queued: 0, loginPresent: false, loginProblems: problems };
    }
  };
});
