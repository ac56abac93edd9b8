// Times, sizes and states as people read them. Digits are Latin in both languages, because versions and phone numbers
// have Latin digits too. Sizes come in MB (2^20 bytes) from the gateway.

import { page, text } from "./api.js";

const locale = page.language === "ar" ? "ar-u-nu-latn" : "en";
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

const TONES = {
  connected: "good",
  starting: "busy", restoring: "busy", pairing: "busy", syncing: "busy", reconnecting: "warn",
  conflict: "warn", logged_out: "bad", needs_attention: "bad", failed: "bad", gone: "bad",
};

export const tone = (state) => TONES[state] ?? "idle";
export const stateName = (state) => text(`state.${state}`) || text("state.unknown");
export const stateAbout = (state) => text(`about.${state}`) || text("about.unknown");
export const reasonText = (reason) => text(`reason.${reason}`) || reason.replaceAll("_", " ");

// The first character as people see it: a letter with its marks, an emoji with all its parts.
const characters = new Intl.Segmenter(locale, { granularity: "grapheme" });
export const firstCharacter = (name) => characters.segment(name)[Symbol.iterator]().next().value?.segment ?? "";

export function ago(iso) {
  const seconds = Math.round((new Date(iso) - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
  return relative.format(Math.min(0, Math.round(seconds / size)), unit);
}

export const elapsed = (iso) => Math.max(0, (Date.now() - new Date(iso)) / 1000);

export const at = (iso) => exact.format(new Date(iso));

export function span(seconds) {
  const [unit, size] = UNITS.find(([, each]) => seconds >= each) ?? ["second", 1];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 })
    .format(Math.round(seconds / size));
}

export function megabytes(size) {
  const [unit, value, maximumFractionDigits] = size >= 1024 ? ["gigabyte", size / 1024, 2] : ["megabyte", size, 1];
  const unitDisplay = page.language === "ar" ? "long" : "short"; // Arabic has no short form that people read
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay, maximumFractionDigits }).format(value);
}

export const count = (value) => number.format(value);
