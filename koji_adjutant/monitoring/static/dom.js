// Elements from plain data. Texts become text nodes and nothing else: what a build writes cannot become markup.

export const byId = (id) => document.getElementById(id);

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// Makes the children of `list` those of `items`, in order. An item that is as it was keeps its element (and with it focus,
// and what is unfolded); `make` returns the element of one that is new or has changed.
export function keep(list, items, keyOf, make) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const keys = new Set(items.map((item) => String(keyOf(item))));
  for (const [key, child] of old) {
    if (!keys.has(key)) child.remove(); // first of all: an element that is moved loses the focus
  }
  let place = list.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const state = JSON.stringify(item);
    let child = old.get(key);
    if (!child || child.state !== state) {
      const made = make(item);
      made.dataset.key = key;
      made.state = state;
      if (child) {
        replaceKeepingFocus(child, made);
        if (place === child) place = made;
      }
      child = made;
    }
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
}

function replaceKeepingFocus(child, made) {
  const focused = child.contains(document.activeElement) ? document.activeElement : null;
  const unfolded = child.querySelector("details")?.open;
  child.replaceWith(made);
  if (unfolded && made.querySelector("details")) made.querySelector("details").open = true;
  if (!focused) return;
  const same = [...made.querySelectorAll("a, button, summary")].find((one) => one.textContent === focused.textContent);
  same?.focus({ preventScroll: true });
}

export async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) location.assign("login");
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(found.error ?? `HTTP status ${answer.status}`), { status: answer.status });
  return found;
}
