// Numbers and times as people read them. The daemon's clock counts, not the browser's.

import { h } from "./dom.js";

let ahead = 0;

export const setClock = (now) => { ahead = now - Date.now() / 1000; };
export const now = () => Date.now() / 1000 + ahead;

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export const date = (at) => new Date(at * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const when = (at) => h("time", { datetime: new Date(at * 1000).toISOString() }, date(at));

// Times that go on: `tick` writes them anew each second.
export const since = (at) => h("time", { "data-since": at, title: `since ${date(at)}` }, span(now() - at));
export const ago = (at) => h("time", { "data-since": at, "data-after": " ago", title: date(at) }, `${span(now() - at)} ago`);

export function tick() {
  for (const time of document.querySelectorAll("time[data-since]")) {
    const text = span(now() - Number(time.dataset.since)) + (time.dataset.after ?? "");
    if (time.textContent !== text) time.textContent = text;
  }
}
