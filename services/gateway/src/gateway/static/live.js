// The newest status, by server-sent events, and by polling where events do not arrive.

import { get } from "./api.js";

const SILENCE_MS = 12000; // two heartbeats missed
const POLL_MS = 3000;
const RETRY_MS = 15000;

export function follow(path, session, onStatus, onMode) {
  const query = `?session=${encodeURIComponent(session)}`;
  let source = null;
  let silence = 0;
  let retry = 0;
  let poll = 0;

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(fallBack, SILENCE_MS);
  }

  function open() {
    source?.close();
    source = new EventSource(`${path}/events${query}`);
    source.addEventListener("status", (event) => {
      stopPolling();
      heard();
      onMode("live");
      onStatus(JSON.parse(event.data));
    });
    source.addEventListener("heartbeat", () => {
      stopPolling();
      heard();
      onMode("live");
    });
    source.addEventListener("logged-out", fallBack); // the next question is answered with 401
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) fallBack();
    });
    heard();
  }

  function fallBack() {
    clearTimeout(silence);
    clearTimeout(retry);
    source?.close();
    retry = setTimeout(open, RETRY_MS);
    if (!poll) {
      poll = setInterval(ask, POLL_MS);
      ask();
    }
  }

  function stopPolling() {
    clearInterval(poll);
    poll = 0;
  }

  async function ask() {
    try {
      onStatus(await get(path + query));
      onMode("polling");
    } catch (failure) {
      onMode("lost", failure);
    }
  }

  open();
}
