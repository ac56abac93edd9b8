/*
 * The websocket to the server: connects, notices silence, tries again with a growing delay.
 */
__d('StandInTransport', ['WAWebEventEmitter'], function (global, require, importDefault, importNamespace, requireLazy, module) {
  const PING_MS = 15000;
  const SILENCE_MS = 25000;
  const FIRST_DELAY_MS = 200;
  const LONGEST_DELAY_MS = 5000;

  class Transport extends require('WAWebEventEmitter') {
    constructor() {
      super();
      this.socket = null;
      this.delay = FIRST_DELAY_MS;
      this.timer = undefined;
      this.heardAt = 0;
      setInterval(() => this._watch(), PING_MS);
    }

    connect() {
      clearTimeout(this.timer);
      this.socket?.close();
      const url = new URL('/ws/chat', location.href);
      url.protocol = url.protocol.replace('http', 'ws');
      const socket = new WebSocket(url);
      this.socket = socket;
      this.heardAt = performance.now();
      socket.onmessage = (event) => {
        if (socket === this.socket) {
          this.heardAt = performance.now();
          this.trigger('message', JSON.parse(event.data));
        }
      };
      socket.onclose = () => {
        if (socket === this.socket) {
          this.socket = null;
          this.trigger('closed');
        }
      };
    }

    /** Try again; the session decides when. */
    connectLater() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.connect(), this.delay);
      this.delay = Math.min(this.delay * 2, LONGEST_DELAY_MS);
    }

    succeeded() {
      this.delay = FIRST_DELAY_MS;
    }

    send(message) {
      if (this.socket?.readyState === WebSocket.OPEN) {
        this.socket.send(JSON.stringify(message));
        return true;
      }
      return false;
    }

    close() {
      clearTimeout(this.timer);
      const socket = this.socket;
      this.socket = null;
      socket?.close();
    }

    _watch() {
      if (this.socket && performance.now() - this.heardAt > SILENCE_MS) {
        this.socket.close();
      }
      this.send({ type: 'ping' });
    }
  }
  module.exports = new Transport();
});
