/*
 * The page's databases. Which stores there are, how a transaction is run, how everything is wiped.
 * A promise of `transact` resolves when the transaction is complete, not before.
 */
__d('StandInStorage', [], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const DATABASES = {
    wawc_db_enc: { keys: { keyPath: 'id' } },
    'signal-storage': { 'signal-meta-store': { keyPath: 'key' } },
    'model-storage': {
      message: { keyPath: 'id', index: 't' },
      chat: { keyPath: 'id' },
      outbox: { keyPath: 'id' },
      history: { keyPath: 'seq' },
      meta: { keyPath: 'key' },
    },
  };
  const open = new Map();

  function database(name) {
    if (!open.has(name)) {
      open.set(name, new Promise((resolve, reject) => {
        const request = indexedDB.open(name, 1);
        request.onupgradeneeded = () => {
          for (const [store, { keyPath, index }] of Object.entries(DATABASES[name])) {
            const rows = request.result.createObjectStore(store, { keyPath });
            if (index) {
              rows.createIndex(index, index);
            }
          }
        };
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      }));
    }
    return open.get(name);
  }

  /** Run `work(...stores)` in one transaction; its result may be an IDBRequest. */
  async function transact(name, stores, mode, work) {
    const db = await database(name);
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(stores, mode);
      const result = work(...stores.map((store) => transaction.objectStore(store)));
      transaction.oncomplete = () => resolve(result instanceof IDBRequest ? result.result : result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  const get = (name, store, key) => transact(name, [store], 'readonly', (rows) => rows.get(key));
  const put = (name, store, value) => transact(name, [store], 'readwrite', (rows) => void rows.put(value));
  const all = (name, store) => transact(name, [store], 'readonly', (rows) => rows.getAll());

  async function wipe() {
    localStorage.clear();
    for (const name of Object.keys(DATABASES)) {
      const db = await open.get(name)?.catch(() => null);
      db?.close();
      open.delete(name);
      await new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = request.onerror = request.onblocked = resolve;
      });
    }
  }

  Object.assign(exports, { database, transact, get, put, all, wipe });
});
