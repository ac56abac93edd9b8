/*
 * What models and collections are made of: events, attributes that announce their changes, keyed collections.
 * An attribute's change is heard on the model and on every collection that holds it, as `change:name` (model, value,
 * previous) and then `change` (model).
 */
__d('WAWebEventEmitter', [], function (global, require, importDefault, importNamespace, requireLazy, module) {
  class EventEmitter {
    on(names, callback, context) {
      if (typeof callback !== 'function') {
        throw new TypeError('Callback parameter passed is not a function');
      }
      for (const name of String(names).split(/\s+/)) {
        this._listeners(name).push({ callback, context });
      }
      return this;
    }

    once(name, callback, context) {
      const wrapped = (...args) => {
        this.off(name, wrapped);
        callback.apply(context, args);
      };
      wrapped.original = callback;
      return this.on(name, wrapped, context);
    }

    off(name, callback) {
      if (name === undefined) {
        this.$listeners?.clear();
      } else {
        const kept = callback
          ? this._listeners(name).filter((l) => l.callback !== callback && l.callback.original !== callback)
          : [];
        this.$listeners.set(name, kept);
      }
      return this;
    }

    trigger(name, ...args) {
      for (const listener of [...this._listeners(name)]) {
        listener.callback.apply(listener.context || this, args);
      }
      return this;
    }

    listenTo(other, name, callback) {
      other.on(name, callback, this);
      return this;
    }

    _listeners(name) {
      if (!Object.hasOwn(this, '$listeners')) {
        Object.defineProperty(this, '$listeners', { value: new Map() });
      }
      if (!this.$listeners.has(name)) {
        this.$listeners.set(name, []);
      }
      return this.$listeners.get(name);
    }
  }
  Object.assign(EventEmitter.prototype, {
    bind: EventEmitter.prototype.on,
    emit: EventEmitter.prototype.trigger,
    removeListener: EventEmitter.prototype.off,
    unbind: EventEmitter.prototype.off,
  });
  module.exports = EventEmitter;
});

__d('WAWebBaseModel', ['WAWebEventEmitter'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  const EventEmitter = require('WAWebEventEmitter');

  class BaseModel extends EventEmitter {
    constructor(attributes = {}) {
      super();
      Object.defineProperties(this, {
        $attributes: { value: { ...this.constructor.defaults } },
        $collections: { value: new Set() },
      });
      for (const [name, value] of Object.entries(attributes)) {
        this._accept(name);
        this.$attributes[name] = value;
      }
      this.initialize();
    }

    initialize() {}

    get attributes() {
      return this.$attributes;
    }

    get(name) {
      return this[name];
    }

    set(names, value) {
      const changes = typeof names === 'object' ? names : { [names]: value };
      for (const [name, next] of Object.entries(changes)) {
        this._accept(name);
        this[name] = next;
      }
      return this;
    }

    /** Forget an attribute without telling anyone. */
    unset(name) {
      delete this.$attributes[name];
      return this;
    }

    serialize() {
      return { ...this.$attributes };
    }

    toJSON() {
      return this.serialize();
    }

    _accept(name) {
      if (!(name in this)) {
        Object.defineProperty(this, name, accessor(name));
      }
    }

    _change(name, value) {
      const previous = this.$attributes[name];
      if (previous === value) {
        return;
      }
      this.$attributes[name] = value;
      for (const target of [this, ...this.$collections]) {
        target.trigger(`change:${name}`, this, value, previous);
        target.trigger('change', this);
      }
    }
  }

  const accessor = (name) => ({
    configurable: true,
    enumerable: false,
    get() {
      return this.$attributes?.[name];
    },
    set(value) {
      this._change(name, value);
    },
  });

  /** A model class with these attributes and their first values; `proxyName` is how it is recognized. */
  function defineModel(proxyName, defaults, methods = class extends BaseModel {}) {
    methods.defaults = defaults;
    methods.prototype.proxyName = proxyName;
    for (const name of Object.keys(defaults)) {
      Object.defineProperty(methods.prototype, name, accessor(name));
    }
    return methods;
  }

  exports.BaseModel = BaseModel;
  exports.defineModel = defineModel;
});

__d('WAWebCollection', ['WAWebEventEmitter'], function (global, require, importDefault, importNamespace, requireLazy, module) {
  const EventEmitter = require('WAWebEventEmitter');
  const keyOf = (id) => id?._serialized ?? id?.id?._serialized ?? id?.id ?? String(id);

  class Collection extends EventEmitter {
    constructor() {
      super();
      if (!this.constructor.model) {
        throw new Error('Collection initialized without model');
      }
      this.modelClass = this.constructor.model;
      Object.defineProperty(this, '$models', { value: new Map() });
    }

    get length() {
      return this.$models.size;
    }

    get(id) {
      return id === undefined || id === null ? undefined : this.$models.get(keyOf(id));
    }

    assertGet(id) {
      const model = this.get(id);
      if (!model) {
        throw new Error('model is not in the collection');
      }
      return model;
    }

    add(values, options) {
      const added = (Array.isArray(values) ? values : [values]).map((value) => this._addOne(value, options));
      return Array.isArray(values) ? added : added[0];
    }

    remove(values) {
      for (const value of Array.isArray(values) ? values : [values]) {
        const model = this.get(value);
        if (model && this.$models.delete(keyOf(model.id))) {
          model.$collections.delete(this);
          this.trigger('remove', model, this);
        }
      }
    }

    reset() {
      this.$models.clear();
      this.trigger('reset', this);
    }

    getModelsArray() {
      return [...this.$models.values()];
    }

    toArray() {
      return this.getModelsArray();
    }

    findFirst(test) {
      return this.getModelsArray().find(test);
    }

    head() {
      return this.getModelsArray()[0];
    }

    last() {
      return this.getModelsArray().at(-1);
    }

    serialize() {
      return this.map((model) => model.serialize());
    }

    toJSON() {
      return this.serialize();
    }

    _addOne(value, options) {
      const known = this.get(value.id);
      if (known) {
        return known;
      }
      const model = value instanceof this.modelClass ? value : new this.modelClass(value);
      this.$models.set(keyOf(model.id), model);
      model.$collections.add(this);
      if (!options?.silent) {
        this.trigger('add', model, this);
      }
      return model;
    }
  }
  for (const name of ['map', 'forEach', 'filter', 'some', 'every', 'includes', 'reduce']) {
    Collection.prototype[name] = function (...args) {
      return this.getModelsArray()[name](...args);
    };
  }
  module.exports = Collection;
});

__d('WAWebBaseCollection', ['WAWebCollection'], function (global, require, importDefault, importNamespace, requireLazy, module, exports) {
  /** A collection that can also be asked for what it does not hold yet. */
  exports.BaseCollection = class BaseCollection extends require('WAWebCollection') {
    async find(id) {
      return this.get(id) || this.add({ id });
    }

    async update(id) {
      return this.find(id);
    }

    gadd(id) {
      return this.get(id) || this.add(id?.id ? id : { id });
    }
  };
});
