// Every figure can be taken away: as the picture, and as the numbers that it is drawn from.
(() => {
  const tables = JSON.parse(document.getElementById("data").textContent || "{}");
  const save = (name, type, content) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], {type}));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  // Outside of this page its colors have no variables: each has its own color behind the comma.
  const picture = (svg) => {
    const copy = svg.cloneNode(true);
    copy.setAttribute("font-family", "sans-serif");
    return new XMLSerializer().serializeToString(copy).replace(/var\(--[a-z0-9-]+, ?(#[0-9a-f]{6})\)/g, "$1");
  };
  const field = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const csv = (rows) => rows.map((row) => row.map(field).join(",") + "\n").join("");

  const steps = (figure, each) => (each.x || figure.x).slice(0, each.middle.length);
  const bands = (figure) => [
    ["method", "step", "middle", "low", "high"],
    ...figure.series.flatMap((each) => steps(figure, each).map((x, at) => [each.name, x, each.middle[at], each.low[at], each.high[at]])),
  ];
  const seeds = (each) => [
    ["method", "seed", "step", "value"],
    ...each.seeds.flatMap(([seed, points]) => points.map(([x, y]) => [each.name, seed, x, y])),
  ];
  const ranks = (table) => [
    ["method", "rank", "rank_low", "rank_high", "among_best"],
    ...table.methods.filter((each) => each.rank !== null).map((each) => [each.name, each.rank, ...each.ranks, each.best]),
  ];
  const costs = (table) => [
    ["method", "speed", "score", "score_low", "score_high", "on_front"],
    ...table.methods.filter((each) => each.cost !== null && each.score !== null)
      .map((each) => [each.name, each.cost, each.score, ...each.scores, table.front.includes(each.id)]),
  ];
  const listed = (element) => [...element.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim()));

  const offer = (figure, name, rows) => {
    const words = document.createElement("p");
    words.className = "save";
    const button = (kind, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = kind;
      made.setAttribute("aria-label", `Save ${name} as ${kind}`);
      made.addEventListener("click", act);
      words.append(made);
    };
    button("SVG", () => save(`${name}.svg`, "image/svg+xml", picture(figure.querySelector("svg"))));
    button("CSV", () => save(`${name}.csv`, "text/csv", csv(rows())));
    figure.append(words);
  };

  for (const figure of document.querySelectorAll("figure.chart")) {
    const table = tables[figure.dataset.in], kind = figure.id.slice(figure.dataset.in.length + 1);
    const rows = () => (kind === "ranks" ? ranks(table) : kind === "cost" ? costs(table) : bands(table.curves[figure.id]));
    offer(figure, figure.dataset.name, rows);
  }
  for (const figure of document.querySelectorAll("figure.one")) {
    const drawn = tables[figure.dataset.in].curves[figure.dataset.of];
    offer(figure, figure.dataset.name, () => seeds(drawn.series.find((each) => each.id === figure.dataset.method)));
  }
  for (const figure of document.querySelectorAll("figure.costs"))
    offer(figure, figure.id, () => listed(figure.nextElementSibling.querySelector("table")));
})();
