// Requests to the gateway with the CSRF token, the texts of the page, and errors in the visitor's language.

export const page = JSON.parse(document.getElementById("page-data").textContent);

export function text(key, values = {}) {
  const found = page.texts[key] ?? "";
  return found.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export class Failure extends Error {
  constructor(code, message, hint = "", status = 0) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.status = status;
  }

  // The server's English sentence is shown only where the page has no text of its own.
  get shownText() {
    return text(`error.${this.code}`) || text("error.other", { text: isolated(this.message) });
  }
}

// A text from outside inside a sentence of ours keeps its direction to itself (first strong isolate … pop).
export const isolated = (content) => `\u2068${content}\u2069`;

export async function get(path) {
  return answer(await reach(path, { headers: { Accept: "application/json" } }));
}

export const post = (path, body, headers = {}) => change("POST", path, body, headers);

export const remove = (path) => change("DELETE", path, {}, {});

async function change(method, path, body, headers) {
  return answer(
    await reach(path, {
      method,
      headers: { "Content-Type": "application/json", "X-CSRF-Token": page.csrf, ...headers },
      body: JSON.stringify(body),
    }),
  );
}

async function reach(path, options) {
  try {
    return await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new Failure("network", text("error.network"));
  }
}

async function answer(response) {
  let data;
  try {
    data = await response.json();
  } catch {
    throw new Failure("network", text("error.network"), "", response.status);
  }
  if (!response.ok || data.success === false) {
    throw new Failure(data.code ?? "other", data.error ?? "", data.hint ?? "", response.status);
  }
  return data;
}

export function show(element, tone, content) {
  element.textContent = content;
  if (content) element.dataset.tone = tone;
  else delete element.dataset.tone;
}
