// Asks the daemon now and then, and shows what it says.

import { ask, byId, h, keep } from "./dom.js";
import { now, setClock, span, tick } from "./format.js";
import { closeLog, openLog, showTask } from "./log.js";
import { showConfig, showImages, showMachine, showProblems, showReasons } from "./tables.js";
import { historyRow, taskCard } from "./tasks.js";

const STATUS = 2000; // milliseconds between two looks
const REST = 15000;

let web = "";
let records = 30; // of the history
let seen = null; // ids of the running tasks
let heard = 0;

function showState(view) {
  document.title = `${view.state}: ${view.host}`;
  byId("host").textContent = view.host;
  byId("version").textContent = `koji-adjutant ${view.version}`;
  const kind = { idle: "good", busy: "good", "not ready": "bad", "cut off": "bad" }[view.state] ?? "warn";
  keep(byId("state"), [{ state: view.state, summary: view.summary }], ({ state }) => state, ({ state, summary }) =>
    h("span", {}, h("span", { class: `pill ${kind}` }, state), summary));
}

function showTasks(view) {
  const none = byId("tasks").querySelector(".none");
  none.hidden = view.tasks.length > 0;
  none.textContent = "No task runs here just now.";
  keep(byId("tasks").querySelector("ul"), view.tasks, ({ task_id: id }) => id, (task) => taskCard(web, task));
}

async function status() {
  const view = await ask("api/status");
  setClock(view.now);
  web = view.web;
  heard = now();
  showState(view);
  showReasons(view);
  showTasks(view);
  showTask(web, view.tasks);
  showMachine(view);
  byId("age").textContent = "";
  byId("logout").hidden = !view.login;
  performance.mark("painted");
  const ids = view.tasks.map((task) => task.task_id).join();
  if (seen !== null && seen !== ids) attempt(history);
  seen = ids;
}

async function history() {
  const { tasks } = await ask(`api/history?limit=${records + 1}`);
  byId("history").querySelector(".none").hidden = tasks.length > 0;
  byId("more").hidden = tasks.length <= records || records >= 199;
  keep(byId("history").querySelector("ul"), tasks.slice(0, records), ({ task_id: id, ended }) => `${id} ${ended}`,
    (record) => historyRow(web, record));
}

async function rest() {
  await Promise.all([history(), ask("api/images").then(showImages), ask("api/problems").then(showProblems)]);
}

// Does `act` and says on the page if that fails: what stands there is old then.
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    const old = heard ? `; this is ${span(now() - heard)} old` : "";
    byId("age").textContent = `The daemon does not answer${old} (${error.message}).`;
  }
}

// Does it again and again, but not while nobody looks.
async function again(act, pause) {
  if (!document.hidden) await attempt(act);
  setTimeout(() => again(act, pause), pause);
}

function route() {
  const [, task, name] = /^#log\/(\d+)(?:\/(.+))?$/.exec(location.hash) ?? [];
  byId("overview").hidden = Boolean(task);
  byId("log").hidden = !task;
  if (task) {
    openLog(Number(task), name && decodeURIComponent(name), web);
    return;
  }
  closeLog();
  if (location.hash.length > 1) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

byId("more").addEventListener("click", () => { records = Math.min(199, records + 50); attempt(history); });
byId("config").querySelector("details").addEventListener("toggle", ({ target }) => {
  if (target.open) attempt(async () => showConfig(await ask("api/config")));
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) { attempt(status); attempt(rest); } });
addEventListener("hashchange", route);
setInterval(tick, 1000);

await again(status, STATUS);
route();
again(rest, REST);
