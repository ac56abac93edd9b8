// The login form. The key goes into the body of one request and nowhere else.

import { page, post, show, text } from "./api.js";

const form = document.getElementById("login-form");
const key = document.getElementById("key");
const error = document.getElementById("login-error");
const reveal = document.getElementById("show-key");
const submit = form.querySelector("[type=submit]");

reveal.addEventListener("click", () => {
  const hidden = key.type === "password";
  key.type = hidden ? "text" : "password";
  reveal.setAttribute("aria-pressed", String(hidden));
  reveal.textContent = text(hidden ? "login.hide" : "login.show");
  key.focus();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  show(error, "bad", "");
  submit.disabled = true;
  submit.textContent = text("login.working");
  try {
    await post("/persistent-session/login", { key: key.value });
    key.value = "";
    location.replace(page.session === page.defaultSession ? "/persistent-session" : `?session=${page.session}`);
  } catch (failure) {
    show(error, "bad", failure.shownText);
    key.setAttribute("aria-invalid", "true");
    key.focus();
    submit.disabled = false;
    submit.textContent = text("login.submit");
  }
});
