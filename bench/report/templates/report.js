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
const page = {shown: () => true, workload: "", refresh: []};
const filters = document.querySelector("form.filters");
if (filters) {
  filters.hidden = false;
  const cards = new Map([...document.querySelectorAll("article[data-method]")].map((card) => [card.id, card.dataset]));
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
    page.shown = (id) => visible.has(id);
    page.refresh.forEach((refresh) => refresh());
  };
  filters.addEventListener("input", apply);
  filters.addEventListener("reset", () => setTimeout(apply));
  filters.addEventListener("submit", (event) => event.preventDefault());
  apply();
}

// A link to a method that is filtered away shows everything again; the section takes the keyboard's place with it.
const arrive = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.hidden && filters) {
    filters.reset();
    setTimeout(arrive, 50);
    return;
  }
  if (target.matches("article")) {
    target.scrollIntoView();
    target.focus({preventScroll: true});
  }
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
