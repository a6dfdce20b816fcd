"use strict";
// Links the parts of one operation: its bars, its node, its line and its place on the path.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("selection");
  const titles = { predicted: "predicted bar", measured: "measured bar", graph: "node", path: "critical path", messages: "message", source: "source line" };
  const keys = { ArrowLeft: 0, ArrowRight: 1, ArrowUp: 2, ArrowDown: 3 };
  let selected = -1;

  const byOp = data.ops.map(() => []);
  for (const element of document.querySelectorAll("[data-op], [data-link]")) {
    byOp[element.dataset.op ?? element.dataset.link].push(element);
  }
  // Of a batch, the graph shows the first sample: its nodes stand for the others, too.
  for (let op = data.nodes; op < byOp.length; op++) {
    byOp[op].push(...byOp[op % data.nodes].filter((element) => element.closest(".graph")));
  }
  const paths = document.querySelectorAll(".graph path");
  data.edges.forEach((ends, i) => ends.forEach((op) => byOp[op].push(paths[i])));

  const opOf = (target) => {
    const element = target.closest?.("[data-view] [data-op]");
    return element ? Number(element.dataset.op) : -1;
  };
  const elementOf = (view, op) =>
    document.getElementById(`${data.views[view][0]}-${view === "graph" ? op % data.nodes : op}`);

  let hot = [];
  function highlight(op) {
    for (const element of hot) element.classList.remove("hot");
    hot = [op, selected].flatMap((o) => byOp[o] ?? []);
    for (const element of hot) element.classList.add("hot");
  }

  // Scrolls an element's containers, but not the page.
  function reveal(element) {
    const box = element.closest(".scroll");
    // A link in a chart is as large as its text, which is clipped.
    const inner = (element.querySelector("rect") ?? element).getBoundingClientRect();
    const outer = box.getBoundingClientRect();
    for (const [side, size, scroll] of [["left", "width", "scrollLeft"], ["top", "height", "scrollTop"]]) {
      const before = inner[side] - outer[side], after = before + inner[size] - outer[size];
      if (before < 0 || after > 0) box[scroll] += before - (outer[size] - inner[size]) / 2;
    }
  }

  function select(op, from) {
    selected = op;
    highlight(-1);
    panel.hidden = op < 0;
    if (op < 0) return;
    const [name, node, type, shape, cluster, worker, cost, start] = data.ops[op];
    panel.querySelector("[data-field=name]").textContent = name;
    panel.querySelector("[data-field=text]").textContent =
      `${type} ${node && `“${node}”`}, ${shape}, ${cost} from ${start} on ${worker}, cluster ${cluster}`;
    const links = panel.querySelector("[data-links]");
    links.replaceChildren();
    for (const view of Object.keys(data.views)) {
      const element = elementOf(view, op);
      if (!element) continue;
      if (view !== from) reveal(element);
      const link = document.createElement("a");
      link.href = `#${element.id}`;
      link.textContent = titles[view];
      links.append(link, " ");
    }
  }

  // In each view one element is in the order of the Tab key; the arrow keys move it.
  const current = new Map();
  function enter(view, element) {
    current.get(view)?.setAttribute("tabindex", "-1");
    element.setAttribute("tabindex", "0");
    current.set(view, element);
  }
  for (const view of Object.keys(data.views)) {
    const members = document.querySelectorAll(`[data-view="${view}"] a[data-op]`);
    for (const element of members) element.setAttribute("tabindex", "-1");
    if (members.length) enter(view, members[0]);
  }

  const viewOf = (target) => target.closest?.("[data-view]")?.dataset.view;
  document.addEventListener("pointerover", (event) => highlight(opOf(event.target)));
  document.addEventListener("focusin", (event) => {
    const op = opOf(event.target);
    if (op >= 0) enter(viewOf(event.target), event.target);
    highlight(op);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-clear]")) return select(-1);
    const op = opOf(event.target);
    if (op < 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (viewOf(event.target) === "source" && String(getSelection())) return; // text is selected
    event.preventDefault();
    event.target.closest("a")?.focus({ preventScroll: true });
    select(op, viewOf(event.target));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return select(-1);
    const op = opOf(event.target), view = viewOf(event.target);
    if (op < 0 || !(event.key in keys) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = elementOf(view, data.views[view][1][op][keys[event.key]]);
    next?.focus({ preventScroll: true });
    if (next) {
      reveal(next);
      next.closest(".scroll").scrollIntoView({ block: "nearest" });
    }
  });

  // Enter goes from hit to hit, with Shift backwards; hits are in the order of their start.
  const field = document.getElementById("find"), found = document.getElementById("found");
  const texts = data.ops.map(([name, node, type]) => `${name}\n${node}\n${type}`.toLowerCase());
  let hits = [], at = -1;
  function show(next) {
    at = hits.length ? (next + hits.length) % hits.length : -1;
    found.textContent = !field.value ? "" : hits.length ? `${at + 1} of ${hits.length}` : "not found";
    select(hits[at] ?? -1);
    if (!hits.length) return;
    const bar = elementOf("predicted", hits[at]);
    reveal(bar); // select() may have scrolled to the measured one, in the same box
    bar.closest(".scroll").scrollIntoView({ block: "nearest" });
  }
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    hits = wanted ? data.order.filter((op) => texts[op].includes(wanted)) : [];
    show(0);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") show(at + (event.shiftKey ? -1 : 1));
  });

  for (const tools of document.querySelectorAll("[data-zoom]")) {
    const target = document.getElementById(tools.dataset.zoom), box = target.closest(".scroll");
    tools.addEventListener("click", (event) => {
      const by = Number(event.target.dataset.by ?? NaN);
      if (Number.isNaN(by)) return;
      const middle = (box.scrollLeft + box.clientWidth / 2) / target.getBoundingClientRect().width;
      const width = target.getBoundingClientRect().width * by;
      target.style.width = by ? `${Math.max(width, 80)}px` : "100%";
      box.scrollLeft = middle * target.getBoundingClientRect().width - box.clientWidth / 2;
    });
  }
  document.documentElement.classList.add("scripted");
})();
