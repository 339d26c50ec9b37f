// Tables that can be sorted by a click on a heading, and leaderboards whose rows can be filtered.
(() => {
  // "≈ 1–5", "0.90x", "1,268" and "0/2 (0–84 %)" sort by their first number, "−3" below 0 and "< 0.001" below 0.001;
  // nothing and a dash come last, either way, also where the dash has a count behind it, "– (0/5)".
  const number = (text) => {
    const found = text.replace(/,/g, "").replace(/−/g, "-").match(/^([^\w-]*)(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/);
    if (!found) return NaN;
    return found[1].includes("<") ? Number(found[2]) * (1 - 1e-9) : Number(found[2]);
  };

  const sort = (table, column, ascending) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, text: row.cells[column].textContent.trim() }));
    const filled = rows.filter(({ text }) => text && !text.startsWith("–"));
    const numeric = filled.every(({ text }) => !Number.isNaN(number(text)));
    const compare = numeric
      ? (a, b) => number(a.text) - number(b.text)
      : (a, b) => a.text.localeCompare(b.text, "en", { numeric: true });
    filled.sort((a, b) => (ascending ? compare(a, b) : compare(b, a)));
    const empty = rows.filter((each) => !filled.includes(each));
    body.append(...[...filled, ...empty].map(({ row }) => row));
  };

  const makeSortable = (table) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      if (!heading.textContent.trim()) return;
      heading.tabIndex = 0;
      heading.classList.add("sortable");
      const act = () => {
        const ascending = heading.getAttribute("aria-sort") !== "ascending";
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        sort(table, column, ascending);
      };
      heading.addEventListener("click", act);
      heading.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        act();
      });
    });
  };

  const addFilter = (tables) => {
    const field = document.createElement("input");
    field.type = "search";
    field.className = "rows-filter";
    field.placeholder = "Keep rows with these words, for example: wgan digits";
    field.setAttribute("aria-label", "Keep rows with these words");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of tables.flatMap((table) => [...table.tBodies[0].rows])) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    const first = tables[0].closest(".md-typeset__scrollwrap") || tables[0];
    first.before(field);
  };

  // A name in a heading may go on in the next line after an underscore, and nowhere else.
  const breakNames = (code) => {
    const words = code.textContent.split("_");
    code.replaceChildren(...words.flatMap((word, at) => (at ? ["_", document.createElement("wbr"), word] : [word])));
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("article th code").forEach(breakNames);
    const tables = [...document.querySelectorAll("article table")].filter(
      (table) => table.tHead && table.tBodies.length && table.tBodies[0].rows.length > 2,
    );
    // A line that names a group of lines has one cell; its table keeps its order.
    const grouped = (table) =>
      [...table.tBodies[0].rows].some((row) => [...row.cells].filter((cell) => cell.textContent.trim()).length < 2);
    tables.filter((table) => !grouped(table)).forEach(makeSortable);
    const methods = tables.filter((table) => /^method/.test(table.tHead.textContent.trim().replace(/^rank\s+/, "")));
    if (methods.length && location.pathname.includes("/leaderboards/")) addFilter(methods);
  });
})();
