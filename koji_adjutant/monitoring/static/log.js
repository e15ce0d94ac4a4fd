// One log while it grows. The server says where each piece ends; after a break it goes on from there.

import { ask, byId, h, keep } from "./dom.js";
import { bytes } from "./format.js";
import { taskCard, taskLink } from "./tasks.js";

const MOST = 600_000; // characters that are kept on the page
const FAVOURITES = ["build.log", "root.log", "checkout.log", "createrepo.log"];

let open = null; // the log that is followed now
let shown = null; // the task of the view
let opened = 0; // counts views: an answer for one that was left is dropped

class Viewer {
  constructor(task, name) {
    this.task = task;
    this.name = name;
    this.base = `api/tasks/${task}/logs/${encodeURIComponent(name)}`;
    this.start = this.end = null;
    this.waiting = "";
    this.size = this.held = 0;
    this.tries = 0;
    this.box = byId("log-text");
    this.box.replaceChildren();
    this.tail = h("span");
    this.box.append(this.tail);
    this.connect();
  }

  connect() {
    this.say(this.end === null ? "opening" : "connecting again");
    const source = this.source = new EventSource(`${this.base}/events${this.end === null ? "" : `?offset=${this.end}`}`);
    const on = (kind, act) => source.addEventListener(kind, (event) => {
      this.end = Number(event.lastEventId);
      this.tries = 0;
      act(JSON.parse(event.data));
    });
    on("begin", ({ start }) => { this.start ??= start; this.mark(); this.say("following"); });
    on("skip", ({ bytes: count }) => this.add(`\n[${bytes(count)} passed too quickly to be shown]\n`));
    on("text", ({ text, size }) => { this.size = size; this.add(text); });
    on("end", (end) => { this.close(); this.say(end.result ? `the task has ended: ${end.result}` : "the task has ended"); });
    source.onerror = () => this.broken();
  }

  // A browser connects again by itself after a break, but not after an answer that is no stream.
  broken() {
    if (this.source.readyState !== EventSource.CLOSED) { this.say("connecting again"); return; }
    this.tries += 1;
    this.say(this.tries > 20 ? "not to be had any more; the hub has the logs of ended tasks" : "connecting again");
    if (this.tries <= 20) this.timer = setTimeout(() => this.connect(), Math.min(5000, 500 * this.tries));
  }

  add(text) {
    if (!this.waiting) requestAnimationFrame(() => this.flush());
    this.waiting += text;
    // A page in the background paints nothing; it must not collect without end.
    if (this.waiting.length > MOST) this.waiting = this.waiting.slice(-MOST);
  }

  flush() {
    const added = this.waiting.length;
    const text = this.tail.textContent + this.waiting;
    this.waiting = "";
    const whole = text.lastIndexOf("\n") + 1;
    if (whole) this.tail.before(h("div", {}, text.slice(0, whole)));
    this.tail.textContent = text.slice(whole);
    this.held += added;
    while (this.held > MOST && this.box.children.length > 2) {
      const first = this.box.firstElementChild;
      this.held -= first.textContent.length;
      first.remove();
      this.start = null; // what stands before the first line shown is not known any more
    }
    byId("earlier").hidden = !this.start;
    if (byId("follow").checked) this.box.scrollTop = this.box.scrollHeight;
    if (this.source.readyState === EventSource.OPEN) this.say(`following, ${bytes(this.size)}`);
  }

  async earlier() {
    const piece = await ask(`${this.base}/text?before=${this.start}&size=262144`);
    const height = this.box.scrollHeight;
    byId("follow").checked = false;
    this.box.prepend(h("div", {}, piece.text));
    this.held += piece.text.length;
    this.box.scrollTop += this.box.scrollHeight - height;
    this.start = piece.start;
    this.mark();
  }

  mark() { byId("earlier").hidden = !this.start; }

  say(text) { if (byId("log-state").textContent !== text) byId("log-state").textContent = text; }

  close() { clearTimeout(this.timer); this.source.close(); }
}

export function closeLog() {
  opened += 1;
  open?.close();
  open = null;
}

// The card above the log, as the task stands now.
export function showTask(web, tasks) {
  keep(byId("log-task"), tasks.filter(({ task_id: id }) => id === shown), ({ task_id: id }) => id, (task) => taskCard(web, task));
}

// Shows the log that the address names: #log/TASK or #log/TASK/NAME.
export async function openLog(task, name, web) {
  closeLog();
  const turn = opened;
  byId("log-names").replaceChildren();
  byId("log-task").replaceChildren();
  byId("log-text").replaceChildren();
  byId("log-title").replaceChildren(`Log of task ${task}`);
  byId("log-title").focus({ preventScroll: true });
  byId("earlier").hidden = true;
  let found;
  try {
    found = await ask(`api/tasks/${task}`);
  } catch (error) {
    if (turn === opened) byId("log-state").textContent = error.message;
    return;
  }
  if (turn !== opened) return;
  const names = found.logs.map((log) => log.name);
  const wanted = name || FAVOURITES.find((one) => names.includes(one)) || names[0];
  byId("log-title").replaceChildren(wanted ? `${wanted} of ` : "No log yet of ", taskLink(web, task));
  byId("log-names").replaceChildren(...found.logs.map((log) => h("li", {}, h("a",
    { href: `#log/${task}/${encodeURIComponent(log.name)}`, "aria-current": log.name === wanted ? "page" : null },
    log.name, " ", h("small", {}, bytes(log.size))))));
  shown = task;
  if (found.running) showTask(web, [found.running]);
  byId("raw").hidden = !wanted;
  if (!found.running) {
    const ended = found.ended;
    byId("log-state").textContent = `the task has ended: ${ended.result}; the hub has its logs`;
    if (ended.reason) byId("log-text").append(h("div", {}, ended.reason));
  } else if (wanted) {
    byId("raw").href = `api/tasks/${task}/logs/${encodeURIComponent(wanted)}`;
    open = new Viewer(task, wanted);
  } else {
    byId("log-state").textContent = "the task has written no log yet";
  }
}

byId("earlier").addEventListener("click", () => open?.earlier().catch((error) => open?.say(error.message)));
byId("log-text").addEventListener("scroll", ({ target }) => {
  const below = target.scrollHeight - target.scrollTop - target.clientHeight;
  if (below > 60) byId("follow").checked = false;
}, { passive: true });
for (const kind of ["wheel", "touchmove", "keydown"]) {
  byId("log-text").addEventListener(kind, ({ target }) => {
    if (target.scrollHeight - target.scrollTop - target.clientHeight < 4) byId("follow").checked = true;
  }, { passive: true });
}
