// The dashboard shows the status and sends the actions. Everything from outside goes in as text, never as HTML.

import { get, isolated, page, post, remove, show, text } from "./api.js";
import { follow } from "./live.js";
import { ago, at, count, elapsed, firstCharacter, megabytes, reasonText, span, stateAbout, stateName, tone } from "./texts.js";

const $ = (id) => document.getElementById(id);
const BUSY = new Set(["starting", "restoring", "syncing", "reconnecting"]);
let newest = null;
let shownFor = "";

function make(tag, content = "", attributes = {}) {
  const element = document.createElement(tag);
  if (content instanceof Node) element.append(content);
  else element.textContent = content;
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("data-")) element.dataset[name.slice(5)] = value;
    else element.setAttribute(name, value);
  }
  return element;
}

function moment(iso) {
  return make("time", ago(iso), { datetime: iso, title: at(iso) });
}

function put(element, content, otherwise) {
  element.replaceChildren(content || make("span", otherwise, { class: "muted" }));
}

function setText(element, content) {
  if (element.textContent !== content) element.textContent = content; // an unchanged live region must stay silent
}

// ---- status

function render(answer) {
  newest = answer;
  document.getElementById("content").removeAttribute("aria-busy");
  renderState(answer);
  renderLink(answer);
  renderHealth(answer.health);
  renderDetails(answer);
  renderHistory(answer.history);
  renderControls(answer.status);
}

function shownState(status) {
  const silent = !status.workerAlive && (status.worker || status.wanted === "running");
  return silent ? "gone" : status.state;
}

function renderState({ status }) {
  const state = shownState(status);
  if (shownFor !== state && $("action-result").dataset.tone === "good") show($("action-result"), "good", "");
  shownFor = state; // the result of an action goes once the state has changed
  $("mark").dataset.tone = tone(state);
  setText($("state-name"), stateName(state));
  const about = state === "gone" && status.workersAlive === 0 ? "none" : state;
  setText($("state-about"), stateAbout(about));
  const reason = status.reason && status.reason !== status.state ? reasonText(status.reason) : "";
  setText($("state-reason"), reason);
  const since = status.since ? text("since", { time: span(elapsed(status.since)) }) : "";
  setText($("state-since"), reason && since ? `· ${since}` : since);
  const account = status.clientInfo;
  $("account").hidden = !account;
  if (account) {
    const name = account.pushname || account.wid.user;
    setText($("account-letter"), firstCharacter(name));
    setText($("account-name"), name);
    setText($("account-number"), `+${account.wid.user}`);
  }
}

function renderLink({ status }) {
  const pairing = status.workerAlive && status.state === "pairing";
  $("link").hidden = !pairing;
  if (!pairing) {
    $("qr").hidden = true;
    $("qr").removeAttribute("src");
    delete $("qr").dataset.shows;
    showCode("");
    return;
  }
  const has = Boolean(status.qrCode);
  $("qr").hidden = !has;
  $("qr-wait").hidden = has;
  if (has && $("qr").dataset.shows !== status.qrCode) {
    $("qr").dataset.shows = status.qrCode;
    const query = new URLSearchParams({ session: page.session, at: status.qrAt ?? String(Date.now()) });
    $("qr").src = `${page.api}/qr.svg?${query}`;
  }
  if (status.linkCode) showCode(status.linkCode);
}

function showCode(code) {
  $("link-code-box").hidden = !code;
  const plain = code.replace("-", "");
  setText($("link-code"), plain.length === 8 ? `${plain.slice(0, 4)}-${plain.slice(4)}` : code);
}

function renderHealth(health) {
  const level = health?.overall ?? "none";
  $("verdict").dataset.level = level;
  setText($("verdict"), text(`health.${level}`) || level);
  setText($("health-at"), health?.at ? text("health.checked", { time: ago(health.at) }) : "");
  const issues = health?.issueDetails ?? [];
  setText($("health-summary"), !health ? text("health.noneAbout") : issues.length ? "" : text("health.fine"));
  fill("issues", issues.map((issue) => {
    const item = make("li", make("bdi", localText(issue), { dir: "auto" }), { "data-level": issue.level });
    item.append(make("span", ago(issue.since), { class: "muted small" }));
    return item;
  }));
  fill("recommendations", (health?.recommendationDetails ?? []).map(recommendation));
  fill("checks", (health?.checks ?? []).map(check));
}

const localText = (each) => (page.language === "ar" && each.textAr) || each.text;

function recommendation(each) {
  const item = make("li");
  const sentence = make("span", make("bdi", localText(each), { dir: "auto" }));
  if (each.evidence) sentence.append(make("span", each.evidence, { class: "muted small", dir: "auto" }));
  item.append(sentence);
  if (each.action) {
    const button = make("button", text(`action.${each.action}`) || each.action, { class: "button small", type: "button" });
    button.addEventListener("click", () => act(each.action, button));
    item.append(button);
  }
  return item;
}

function check(each) {
  const item = make("li");
  item.append(make("span", "", { class: "dot", "data-level": each.level, title: text(`health.${each.level}`) }));
  const title = make("span", (page.language === "ar" && each.titleAr) || each.title, { dir: "auto" });
  const value = make("span", each.limit ? `${each.value} / ${each.limit}` : each.value, { class: "value", dir: "auto" });
  item.append(title, value);
  return item;
}

// Replace a list only when it changed, so that a button does not vanish under the pointer.
const shown = {};
function fill(id, items) {
  const stamp = items.map((item) => item.outerHTML).join("");
  const box = $(`${id}-box`);
  if (box) box.hidden = items.length === 0;
  if (shown[id] === stamp) return;
  shown[id] = stamp;
  $(id).replaceChildren(...items);
}

function renderDetails({ status, sessionInfo, systemInfo }) {
  const none = text("details.none");
  const unknown = text("details.unknown");
  const backups = sessionInfo.backups;
  put($("detail-size"), sessionInfo.exists ? megabytes(sessionInfo.size) : "", none);
  put($("detail-backupSize"), sessionInfo.hasBackup ? megabytes(sessionInfo.backupSize) : "", none);
  put($("detail-lastModified"), sessionInfo.lastModified ? moment(sessionInfo.lastModified) : "", none);
  put($("detail-lastSave"), status.lastSessionSave ? moment(status.lastSessionSave) : "", none);
  put($("detail-lastBackup"), backups?.newestAt ? moment(backups.newestAt) : "", backups?.known ? none : unknown);
  if (backups?.lastError) {
    const failed = text("details.lastError", { error: isolated(backups.lastError) });
    $("detail-lastBackup").append(make("span", failed, { class: "small wrong" }));
  }
  put($("detail-backups"), backups?.known ? count(backups.count) : "", unknown);
  if (backups?.seenAt && !backups.known) {
    const last = text("details.lastSeen", { count: count(backups.count), time: ago(backups.seenAt) });
    $("detail-backups").append(make("span", last, { class: "small muted" }));
  }
  put($("detail-reconnects"), count(status.reconnectAttempts));
  renderFiles(status.sessionHealth);
  const browser = status.browser;
  put($("detail-memory"), browser?.memory ? megabytes(browser.memoryMB) : "", unknown);
  put($("detail-browser"), browser?.version ? make("bdi", `Chromium ${browser.version}`, { dir: "ltr" }) : "", unknown);
  put($("detail-page"), browser?.pageVersion ? make("bdi", browser.pageVersion, { dir: "ltr" }) : "", unknown);
  put($("detail-worker"), status.worker ? make("bdi", status.worker, { dir: "ltr" }) : "", none);
  put($("detail-path"), make("bdi", systemInfo.sessionPath, { dir: "ltr" }));
  put($("detail-uptime"), span(systemInfo.uptime));
}

function renderFiles(health) {
  const missing = health?.missingFiles ?? [];
  const present = health?.criticalFiles.length ?? 0;
  const good = present && missing.length === 0 ? text("details.filesOk", { count: count(present) }) : "";
  put($("detail-files"), good, missing.length ? text("details.filesMissing", { names: missing.map(isolated).join(", ") }) : text("details.none"));
  $("detail-files").classList.toggle("wrong", missing.length > 0);
}

function renderHistory(history) {
  $("history-none").hidden = history.length > 0;
  fill("history", history.slice(0, 30).map((change) => {
    const item = make("li", "", { "data-tone": tone(change.state) });
    const line = make("div", "", { class: "line" });
    const time = moment(change.at);
    time.className = "muted small";
    line.append(make("strong", stateName(change.state)), time);
    item.append(line);
    if (change.reason && change.reason !== change.state) {
      item.append(make("span", reasonText(change.reason), { class: "muted small", dir: "auto" }));
    }
    return item;
  }));
}

function renderControls(status) {
  const connected = status.isConnected;
  $("test-send").disabled = !connected || $("test-send").getAttribute("aria-busy") === "true";
  $("test-off").hidden = connected;
  for (const button of document.querySelectorAll("[data-action]")) {
    if (button.getAttribute("aria-busy") === "true") continue;
    button.disabled = button.dataset.action === "backup" && !connected;
  }
  const start = document.querySelector('[data-action="initialize"]');
  const idle = !connected && !BUSY.has(status.state);
  start.classList.toggle("primary", idle && status.state !== "pairing");
}

// ---- actions

async function busy(button, working, work) {
  const label = button.textContent;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  button.textContent = working;
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
    button.textContent = label;
    if (newest) renderControls(newest.status);
  }
}

function confirmed(kind) {
  const dialog = $("confirm");
  $("confirm-title").textContent = text(`confirm.${kind}.title`);
  $("confirm-text").textContent = text(`confirm.${kind}.text`);
  $("confirm-yes").textContent = text(`confirm.${kind}.yes`);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

const ask = (action, more = {}, headers = {}) => post(page.api, { action, session: page.session, ...more }, headers);

async function act(action, button, more = {}) {
  if ((action === "clear" || action === "restore") && !(await confirmed(action))) return;
  const result = $("action-result");
  show(result, "good", "");
  await busy(button, text("action.working"), async () => {
    try {
      const answer = await ask(action, more);
      if (answer.status) render(answer);
      show(result, "good", text(`done.${answer.next ?? (action === "health-check" ? "checked" : "other")}`) || answer.message);
    } catch (failure) {
      failed(result, failure);
    }
  });
}

function failed(element, failure) {
  if (failure.status === 401) {
    location.reload();
    return;
  }
  show(element, "bad", failure.shownText);
}

for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => act(button.dataset.action, button));
}

$("link-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = $("link-result");
  show(result, "good", "");
  await busy(event.submitter ?? event.target.querySelector("button"), text("action.working"), async () => {
    try {
      const answer = await ask("pair-phone", { phoneNumber: $("link-number").value });
      showCode(answer.linkCode);
    } catch (failure) {
      failed(result, failure);
    }
  });
});

// Each press of Send makes one command id. Asking again uses the same id, so the message is not sent twice.
let command = null;

async function send() {
  const result = $("test-result");
  show(result, "good", "");
  $("test-ask").hidden = true;
  await busy($("test-send"), text("test.sending"), async () => {
    try {
      const answer = await ask("send-test-message", command.fields, { "Idempotency-Key": command.id });
      show(result, "good", text(answer.repeated ? "test.repeated" : "test.sent"));
    } catch (failure) {
      failed(result, failure);
      const unknown = failure.code === "unknown_outcome" || failure.code === "network";
      if (unknown) result.dataset.tone = "warn";
      $("test-ask").hidden = !unknown;
    }
  });
}

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

$("test-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if ($("test-send").disabled) return;
  command = { id: newId(), fields: { phoneNumber: $("test-number").value, message: $("test-message").value } };
  await send();
});
$("test-ask").addEventListener("click", send);

$("backups-box").addEventListener("toggle", async () => {
  if (!$("backups-box").open) return;
  try {
    $("backups").replaceChildren(backupTable((await ask("backups")).backups));
  } catch (failure) {
    $("backups").replaceChildren(make("p", failure.shownText, { class: "result", "data-tone": "bad" }));
  }
});

function backupTable(backups) {
  if (!backups.length) return make("p", text("backups.none"), { class: "muted" });
  const table = make("table");
  const head = make("tr");
  for (const key of ["taken", "size", "state"]) head.append(make("th", text(`backups.${key}`), { scope: "col" }));
  head.append(make("td"));
  table.append(make("thead", head));
  const body = make("tbody");
  for (const each of backups) {
    const row = make("tr");
    const restore = make("button", text("action.restore"), { class: "button small", type: "button" });
    restore.disabled = each.state === "bad";
    restore.addEventListener("click", () => act("restore", restore, { backupId: each.id }));
    row.append(
      make("td", moment(each.takenAt)), make("td", megabytes(each.size)),
      make("td", text(`backups.${each.state}`) || each.state), make("td", restore),
    );
    body.append(row);
  }
  table.append(body);
  return table;
}

// ---- logins

$("logins-box").addEventListener("toggle", async () => {
  show($("logins-result"), "good", "");
  if ($("logins-box").open) await showLogins();
});

async function showLogins() {
  try {
    const { logins } = await get(`${page.api}/logins`);
    $("logins").replaceChildren(...logins.map(login));
  } catch (failure) {
    failed($("logins-result"), failure);
  }
}

function login(each) {
  const item = make("li");
  const about = make("div");
  const first = make("strong", make("bdi", each.client || text("logins.unknown"), { dir: "auto" }));
  about.append(first, " ", make("bdi", each.address, { class: "muted small", dir: "ltr" }));
  if (each.current) about.append(" ", make("span", text("logins.current"), { class: "badge" }));
  const times = `${text("logins.since", { time: ago(each.createdAt) })} · ${text("logins.used", { time: ago(each.seenAt) })}`;
  about.append(make("div", times, { class: "muted small", title: at(each.createdAt) }));
  const end = make("button", text("logins.end"), { class: "button small", type: "button" });
  end.addEventListener("click", () => endLogins(end, `/${each.id}`));
  item.append(about, end);
  return item;
}

async function endLogins(button, which) {
  const result = $("logins-result");
  await busy(button, text("action.working"), async () => {
    try {
      await remove(`${page.api}/logins${which}`);
      show(result, "good", text("logins.ended"));
    } catch (failure) {
      failed(result, failure);
    }
  });
  await showLogins(); // answered with 401 where our own login has ended: the page shows the form again
}

$("logins-end").addEventListener("click", async () => {
  if (await confirmed("logins")) await endLogins($("logins-end"), "");
});

$("logout").addEventListener("click", async () => {
  try {
    await post("/persistent-session/logout", {});
  } finally {
    location.replace("/persistent-session");
  }
});

// ---- start

follow(page.api, page.session, render, (mode, failure) => {
  if (failure?.status === 401) location.reload();
  $("live").dataset.live = mode;
  setText($("live-text"), text(`live.${mode}`));
});
setInterval(() => {
  if (newest) {
    renderState(newest);
    renderHealth(newest.health);
    renderDetails(newest);
    renderHistory(newest.history);
  }
}, 10000);
get(`${page.api}?session=${encodeURIComponent(page.session)}`).then((answer) => newest || render(answer), () => {});
