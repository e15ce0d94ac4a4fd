// Reasons, prepared images, host, problems, configuration.

import { byId, h, keep } from "./dom.js";
import { ago, bytes, when } from "./format.js";

export function showReasons(view) {
  byId("why").hidden = view.reasons.length === 0;
  keep(byId("why").querySelector("ul"), view.reasons, ({ reason }) => reason.replace(/\d+/g, ""),
    ({ reason, advice }) => h("li", {}, h("strong", {}, reason), h("span", { class: "advice" }, advice)));
}

export function showImages({ images, problem }) {
  const [none, scroll] = [byId("images").querySelector(".none"), byId("images").querySelector(".scroll")];
  none.hidden = images.length > 0 && !problem;
  none.textContent = problem ? `The runtime could not be asked: ${problem}` : "There are none yet.";
  scroll.hidden = images.length === 0;
  keep(byId("images").querySelector("tbody"), images, ({ reference }) => reference, (image) => {
    const name = image.tag ? `${image.tag}, repo ${image.repo_id}` : "tools of a repo";
    return h("tr", {},
      h("th", { scope: "row", title: image.reference }, name, " ", h("small", {}, image.reference.split(":").pop().slice(0, 12))),
      h("td", { class: "number" }, bytes(image.size_bytes)), h("td", { class: "number" }, String(image.hits)),
      h("td", {}, ago(image.last_used_at)));
  });
}

function card(title, pairs) {
  return { title, pairs: pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined) };
}

function cards(view) {
  const { machine, hub_host: host, runtime } = view;
  const disks = view.disks.map((disk) => [`Disk ${disk.path}`,
    disk.free_mb === null ? "cannot be looked at" : `${bytes(disk.free_mb * 2 ** 20)} free, ${bytes(view.minspace_mb * 2 ** 20)} needed`]);
  return [
    card("Host", [
      ["At the hub", host.enabled === null ? "not asked yet" : host.enabled ? "enabled" : "disabled"],
      ["Arches", host.arches],
      ["Load", host.capacity === null ? String(view.load) : `${view.load} of capacity ${host.capacity}`],
      ["Tasks", `${view.tasks.length} of maxjobs ${view.maxjobs}`],
      ["Load average", machine.load_average === null ? "" : `${machine.load_average.toFixed(2)} on ${machine.cpus} CPUs`],
      ["Free memory", machine.free_memory_mb === null ? "" : bytes(machine.free_memory_mb * 2 ** 20)],
      ...disks,
      ["Started", { since: view.started }],
    ]),
    card("Hub", [
      ["Address", view.hub],
      ["Pages", view.web ? { link: view.web } : ""],
      ["Last answer", view.check_in_age === null ? "none yet" : { at: Math.round(view.now - view.check_in_age) }],
      ["Trouble", view.check_in_trouble],
    ]),
    card("Runtime", [
      ["Kind", `${runtime.kind} ${runtime.version}`],
      ["Rootless", runtime.rootless === null ? "" : runtime.rootless ? "yes" : "no"],
      ["Can", runtime.capabilities.join(", ")],
      ["Trouble", runtime.problem],
    ]),
  ];
}

function shown(value) {
  if (typeof value === "string") return value;
  if (value.since !== undefined) return when(value.since);
  if (value.at !== undefined) return ago(value.at);
  if (value.link !== undefined) return h("a", { href: value.link, rel: "noreferrer" }, value.link);
  return value;
}

export function showMachine(view) {
  keep(byId("machine").querySelector(".cards"), cards(view), ({ title }) => title, ({ title, pairs }) =>
    h("div", { class: "card" }, h("h3", {}, title),
      h("dl", {}, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, shown(value))]))));
}

export function showProblems({ problems }) {
  byId("problems").querySelector(".none").hidden = problems.length > 0;
  keep(byId("problems").querySelector("ul"), problems, ({ at, event }) => `${event} ${at}`, (problem) => {
    const times = problem.times > 1 ? `, ${problem.times} times` : "";
    const task = problem.task_id === null ? "" : `, task ${problem.task_id}`;
    return h("li", {}, h("article", {}, h("h3", {}, h("span", { class: `result ${problem.level === "warning" ? "refused" : "failed"}` },
      problem.level), " ", h("code", {}, problem.event), h("span", { class: "label" }, times, task, ", ", ago(problem.at))),
      problem.text ? h("pre", { class: "reason", tabindex: "0", "aria-label": `Text of ${problem.event}` }, problem.text) : ""));
  });
}

let settings = [];

function flat(prefix, value, found) {
  if (value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length) {
    for (const [name, inner] of Object.entries(value)) flat(prefix ? `${prefix}.${name}` : name, inner, found);
  } else {
    found.push([prefix, value === null ? "-" : typeof value === "string" ? value : JSON.stringify(value)]);
  }
  return found;
}

function showSettings() {
  const wanted = byId("filter").value.toLowerCase();
  const fit = settings.filter(([name, value]) => `${name} ${value}`.toLowerCase().includes(wanted));
  byId("config").querySelector("dl").replaceChildren(
    ...fit.flatMap(([name, value]) => [h("dt", { class: "code" }, h("code", {}, name)), h("dd", { class: "code" }, value)]));
}

export function showConfig(found) {
  const files = { kojid: "kojid.conf", adjutant: "adjutant.yaml" };
  settings = Object.entries(found).flatMap(([file, values]) =>
    flat("", values, []).map(([name, value]) => [`${files[file] ?? file}: ${name}`, value]));
  showSettings();
}

byId("filter").addEventListener("input", showSettings);
