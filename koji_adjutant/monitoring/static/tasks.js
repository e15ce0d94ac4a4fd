// Running tasks and the history: cards and rows with phases as bars.

import { h } from "./dom.js";
import { ago, now, since, span } from "./format.js";

const COLOURED = new Set(["start", "checkout", "root", "source", "requires", "build", "results", "waiting"]);

export function taskLink(web, id) {
  return web ? h("a", { href: `${web}/taskinfo?taskID=${Number(id)}`, rel: "noreferrer" }, `Task ${id}`) : `Task ${id}`;
}

function lengths(phases, end) {
  return phases
    .map(([name, began], place) => [name, Math.max(0, (phases[place + 1]?.[1] ?? end) - began)])
    .filter(([, seconds], place) => seconds >= 0.5 || place === phases.length - 1);
}

// `running`: the last phase goes on, so its length is written by `tick`.
export function phaseBar(phases, end, running) {
  const parts = lengths(phases, end);
  const bar = h("div", { class: "bar", "aria-hidden": "true" });
  const times = h("p", { class: "times" }, "Phases: ");
  parts.forEach(([name, seconds], place) => {
    const piece = h("span", { class: COLOURED.has(name) ? `p-${name}` : "", title: `${name}: ${span(seconds)}` });
    piece.style.flexGrow = String(Math.max(seconds, 0.01));
    bar.append(piece);
    const last = running && place === parts.length - 1;
    times.append(place ? " · " : "", `${name} `, last ? since(phases.at(-1)[1]) : span(seconds));
  });
  return [bar, times];
}

function facts(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value).map(([name, value, kind]) =>
    [h("dt", {}, name), h("dd", { class: kind }, value)]));
}

function heading(web, task) {
  return h("h3", {}, taskLink(web, task.task_id), " ", h("span", { class: "method" }, task.method), " ",
    h("span", { class: "label" }, task.label));
}

export function taskCard(web, task) {
  const waits = task.awaited.flatMap((id, place) => [place ? ", " : "", taskLink(web, id)]);
  return h("li", { class: "card" }, h("article", {}, heading(web, task),
    h("p", { class: "times" }, `Phase ${task.phase}`, task.doing ? `: ${task.doing}` : "", ", running for ", since(task.since),
      task.adopted ? ", taken up from the daemon before" : ""),
    phaseBar(task.phases, now(), true),
    facts([
      ["Waits for", waits.length ? waits : ""],
      ["Container", task.container, "code"],
      ["Image", task.image, "code"],
      ["Digest", task.digest, "code"],
      ["Root from", task.prepared.split("/").pop(), "code"],
    ]),
    h("p", {}, h("a", { href: `#log/${Number(task.task_id)}` }, "Live log", h("small", {}, ` of task ${task.task_id}`)))));
}

export function historyRow(web, record) {
  const reason = record.reason && h("details", {}, h("summary", {}, record.reason.split("\n", 1)[0].slice(0, 160)),
    h("pre", { class: "reason", tabindex: "0", "aria-label": `Why task ${record.task_id} ended so` }, record.reason));
  const image = record.prepared ? "prepared image" : record.image ? "cold root" : "";
  return h("li", {}, h("article", { class: "row" },
    h("div", {}, heading(web, record), reason),
    h("div", {}, phaseBar(record.phases, record.ended, false)),
    h("div", {}, h("span", { class: `result ${record.result}` }, record.result), ` after ${span(record.ended - record.began)}, `,
      ago(record.ended), image && record.method === "buildArch" ? h("small", {}, ` · ${image}`) : "")));
}
