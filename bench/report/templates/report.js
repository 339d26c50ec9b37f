// What the page does without its figures: sort, filter, enlarge. Nothing here is needed to read it.
"use strict";
for (const each of document.querySelectorAll(".scripted")) each.hidden = false;

// Sort a table by a column: click its heading; missing values stay last in both directions.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      const body = table.tBodies[0];
      const key = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => {
        const x = key(a), y = key(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const numeric = Number(x) - Number(y);
        const order = Number.isNaN(numeric) ? x.localeCompare(y) : numeric;
        return descending ? -order : order;
      };
      body.append(...[...body.rows].sort(compare));
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    });
  });
}

// Filters: a method is shown where its family and its words match, a workload or a table where it is the chosen one.
// They stand in the address, so that it can be passed on.
const page = {shown: () => true, workload: "", refresh: []};
const address = new URLSearchParams(location.search);
const remember = (names, chosen) => {
  for (const name of names) {
    if (chosen[name]) address.set(name, chosen[name]);
    else address.delete(name);
  }
  const query = address.toString();
  history.replaceState(null, "", `${query ? `?${query}` : location.pathname}${location.hash}`);
};
const filters = document.querySelector("form.filters");
if (filters) {
  filters.hidden = false;
  const names = [...filters.elements].map((each) => each.name).filter(Boolean);
  for (const name of names) {
    const field = filters.elements[name];
    if (address.get(name)) field.value = address.get(name);
    if (field.selectedIndex === -1) field.value = ""; // the page has no such choice
  }
  if (innerWidth < 640 && !names.some((name) => address.get(name))) filters.parentElement.open = false;
  const cards = new Map([...document.querySelectorAll("article[data-method]")].map((card) => [card.id, card.dataset]));
  const nothing = document.querySelector(".nothing");
  const apply = () => {
    const chosen = Object.fromEntries(new FormData(filters));
    const words = chosen.search.toLowerCase().split(/\s+/).filter(Boolean);
    const visible = new Set();
    for (const [id, card] of cards) {
      const fits = (!chosen.family || card.family === chosen.family) && words.every((word) => card.search.includes(word));
      if (fits) visible.add(id);
    }
    for (const each of document.querySelectorAll("[data-method]")) each.hidden = !visible.has(each.dataset.method);
    for (const each of document.querySelectorAll("[data-workload]"))
      each.hidden = Boolean(chosen.workload) && each.dataset.workload !== chosen.workload;
    for (const each of document.querySelectorAll("[data-table]"))
      each.hidden = Boolean(chosen.table) && each.dataset.table !== chosen.table;
    filters.querySelector("output").textContent = `${visible.size} of ${cards.size} methods`;
    nothing.hidden = visible.size > 0;
    remember(names, chosen);
    page.shown = (id) => visible.has(id);
    page.refresh.forEach((refresh) => refresh());
  };
  nothing.querySelector("button").addEventListener("click", () => filters.reset());
  filters.addEventListener("input", apply);
  filters.addEventListener("reset", () => setTimeout(() => {
    for (const name of names) filters.elements[name].value = "";
    apply();
  }));
  filters.addEventListener("submit", (event) => event.preventDefault());
  apply();
}

// What a heading means: a bubble that opens by pointing, by the keyboard and by touch, and closes by Escape.
const bubble = document.createElement("div");
bubble.className = "tip";
bubble.id = "tip";
bubble.setAttribute("role", "tooltip");
bubble.hidden = true;
document.body.append(bubble);
let explained = null;
const putBubble = () => {
  bubble.hidden = explained === null;
  if (explained === null) return;
  const at = explained.getBoundingClientRect();
  bubble.style.left = `${Math.max(12, Math.min(at.left, innerWidth - bubble.offsetWidth - 12))}px`;
  bubble.style.top = `${at.bottom + 6}px`;
};
const explain = (button) => {
  explained = button;
  putBubble();
};
for (const heading of document.querySelectorAll("th[data-why]")) {
  const why = document.createElement("button");
  why.type = "button";
  why.className = "why";
  why.setAttribute("aria-label", `What is ${heading.textContent.trim()}?`);
  why.setAttribute("aria-describedby", "tip");
  heading.append(why);
  const open = () => {
    bubble.textContent = heading.dataset.why;
    explain(why);
  };
  const close = () => explain(null);
  why.addEventListener("mouseenter", open);
  why.addEventListener("mouseleave", close);
  why.addEventListener("focus", open);
  why.addEventListener("blur", close);
  why.addEventListener("click", open);
}
addEventListener("keydown", (event) => { if (event.key === "Escape") explain(null); });
addEventListener("scroll", putBubble, {capture: true, passive: true});

// Columns that do not fit are announced, and one button away.
for (const more of document.querySelectorAll(".more")) {
  const scroll = more.previousElementSibling;
  const tell = () => {
    const right = scroll.getBoundingClientRect().right + 1;
    const headings = [...scroll.querySelectorAll("thead th")].filter((each) => !each.hidden);
    const out = headings.filter((each) => each.getBoundingClientRect().right > right).length;
    const back = scroll.scrollLeft > 1;
    more.hidden = scroll.offsetParent === null || (!out && !back);
    const words = `${out} more ${out === 1 ? "column" : "columns"} to the right`;
    const said = more.querySelector("span");
    if (said.textContent !== (out ? words : "These are the last columns")) said.textContent = out ? words : "These are the last columns";
    more.querySelector("button").textContent = out ? "Show the next" : "Back to the first";
  };
  more.querySelector("button").addEventListener("click", () => {
    const {left, right} = scroll.getBoundingClientRect(), names = left + scroll.querySelector("th.method").offsetWidth;
    const next = [...scroll.querySelectorAll("thead th")].map((each) => each.getBoundingClientRect()).find((each) => each.right > right + 1);
    // The first column that is cut comes next to the names; one that is there already makes way.
    const step = next && next.left > names + 10 ? next.left - names : scroll.clientWidth - (names - left);
    scroll.scrollTo({left: next ? scroll.scrollLeft + step : 0});
  });
  scroll.addEventListener("scroll", tell, {passive: true});
  addEventListener("resize", tell);
  page.refresh.push(tell);
  tell();
}

// Paper has no summary to click: the notes are printed.
addEventListener("beforeprint", () => document.querySelectorAll("details.noted:not([open])").forEach((each) => {
  each.open = true;
  addEventListener("afterprint", () => { each.open = false; }, {once: true});
}));

// A link to a method that is filtered away shows everything again; the section takes the keyboard's place with it.
const sought = () => {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return null; // a percent sign that stands for nothing
  }
};
const arrive = () => {
  const target = sought();
  if (!target || !target.matches("article")) return;
  if (target.hidden && filters) {
    filters.reset();
    setTimeout(arrive, 50);
    return;
  }
  target.scrollIntoView();
  target.focus({preventScroll: true});
};
addEventListener("hashchange", arrive);
arrive();

// The first seed's grid stands among the other methods; a method's own section borrows it when it is unfolded.
for (const details of document.querySelectorAll("article details"))
  details.addEventListener("toggle", () => {
    const link = details.querySelector("a.copied");
    const source = link && document.querySelector(link.getAttribute("href"));
    if (!source) return;
    const copy = source.cloneNode();
    copy.removeAttribute("id");
    link.replaceWith(copy);
    enlargeable(copy);
  }, {once: true});

// A click on a grid, or Enter, enlarges it.
const dialog = document.querySelector("dialog.enlarged");
function enlargeable(image) {
  image.tabIndex = 0;
  image.setAttribute("role", "button");
  const open = () => {
    dialog.querySelector("img").src = image.src;
    dialog.querySelector("img").alt = image.alt;
    dialog.querySelector("p").textContent = image.alt;
    dialog.showModal();
  };
  image.addEventListener("click", open);
  image.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    open();
  });
}
document.querySelectorAll(".grids img").forEach(enlargeable);
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
