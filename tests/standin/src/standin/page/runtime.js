/*
 * The module loader of the page: `__d`, `require`, `importNamespace`, `requireLazy`, `ErrorGuard`, `require('__debug')`.
 *
 * The page's own code requires through an inner resolver, which no fault affects; what others see through the
 * globals may be dropped, renamed, hidden or late.
 * The trap: a module that assigns `module.exports` has nothing but a default: `require` gives that value itself, and
 * `importNamespace` an object around it, always the same one, so that a patched export stays patched.
 */
(function () {
  'use strict';
  const config = JSON.parse(document.getElementById('standin-config').textContent);
  const faults = config.modules;
  const own = new Map();
  const visible = new Map();
  const modulesMap = {};

  function define(id, dependencies, factory) {
    const record = { id, factory, dependencies, exports: undefined, namespace: undefined, renamed: undefined };
    own.set(id, record);
    if (faults.drop.includes(id)) {
      return;
    }
    const late = faults.late_ms[id];
    if (late) {
      setTimeout(publish, late, record);
    } else {
      publish(record);
    }
  }

  function publish(record) {
    const name = faults.rename[record.id] || record.id;
    visible.set(name, record);
    if (!faults.hide.includes(record.id)) {
      modulesMap[name] = record;
    }
  }

  function evaluate(record) {
    if (record.exports === undefined) {
      const module = { exports: {} };
      const named = module.exports;
      record.exports = named;
      record.factory(self, innerRequire, importDefault(innerRequire), inner(namespaceOf), requireLazy, module, named);
      record.exports = module.exports;
      record.namespace = module.exports === named ? named : { default: module.exports };
    }
    return record;
  }

  function find(map, id) {
    const record = map.get(id);
    if (!record) {
      throw new Error(`Requiring unknown module "${id}"`);
    }
    return evaluate(record);
  }

  const inner = (read) => (id) => read(find(own, id));
  const exportsOf = (record) => record.exports;
  const namespaceOf = (record) => record.namespace;
  const innerRequire = inner(exportsOf);
  const importDefault = (require) => (id) => {
    const exports = require(id);
    return exports && exports.default !== undefined ? exports.default : exports;
  };

  function asSeenOutside(record, value) {
    const renames = Object.entries(faults.rename).filter(([from]) => from.startsWith(record.id + '.'));
    if (!renames.length) {
      return value;
    }
    if (!record.renamed) {
      record.renamed = { ...record.namespace };
      for (const [from, to] of renames) {
        const name = from.slice(record.id.length + 1);
        record.renamed[to] = record.renamed[name];
        delete record.renamed[name];
      }
    }
    return record.renamed;
  }

  function require(id) {
    if (id === '__debug') {
      return { modulesMap };
    }
    const record = find(visible, id);
    return asSeenOutside(record, record.exports);
  }

  function importNamespace(id) {
    const record = find(visible, id);
    return asSeenOutside(record, record.namespace);
  }

  function requireLazy(ids, callback) {
    callback(...ids.map(require));
  }

  self.ErrorGuard = {
    skipGuardGlobal() {},
    applyWithGuard: (work, context, args) => work.apply(context, args || []),
  };
  self.Debug = { VERSION: config.version };
  self.__d = define;
  self.__d_stub.forEach((args) => define(...args));
  delete self.__d_stub;
  self.importDefault = importDefault(require);
  self.importNamespace = importNamespace;
  self.requireLazy = requireLazy;
  self.require = require;
  Object.defineProperty(self, '__standinStart', { value: innerRequire, configurable: true });

  define('StandInConfig', [], function (g, r, d, n, l, module) {
    module.exports = config;
  });
})();
