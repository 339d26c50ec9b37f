// Two methods side by side: every pair of runs of equal seed, and how often which is better.
(() => {
  const tables = JSON.parse(document.getElementById("data").textContent || "{}");
  const section = document.getElementById("compare");
  const able = section ? Object.keys(tables).filter((id) => tables[id].methods.length > 1) : [];
  if (!able.length) {
    if (section) section.hidden = true;
    document.querySelectorAll('a[href="#compare"]').forEach((link) => { link.hidden = true; });
    return;
  }
  const form = section.querySelector("form"), place = section.querySelector(".pairs");
  const choice = (name, words) => {
    const label = document.createElement("label"), select = document.createElement("select");
    label.textContent = words;
    select.name = name;
    label.append(select);
    form.append(label);
    return select;
  };
  const fill = (select, options, chosen) => {
    select.replaceChildren(...options.map(([value, words]) => new Option(words, value, false, value === chosen)));
  };
  const table = choice("in", "Table"), one = choice("one", "Method"), other = choice("other", "and");
  table.parentElement.hidden = able.length < 2;
  fill(table, able.map((id) => [id, tables[id].title]), able.includes(address.get("in")) ? address.get("in") : able[0]);
  const offer = () => {
    const methods = tables[table.value].methods.map((each) => [each.id, each.name]);
    const known = (id, place) => (methods.some(([each]) => each === id) ? id : methods[place][0]);
    fill(one, methods, known(one.value || address.get("one"), 0));
    fill(other, methods, known(other.value || address.get("other"), 1));
  };

  const cell = (row, words, kind = "td", look = "number") => {
    const made = document.createElement(kind);
    made.textContent = words;
    made.className = look;
    if (kind === "th") made.scope = row.parentElement.tagName === "THEAD" ? "col" : "row";
    row.append(made);
    return made;
  };
  const number = (value, digits) => (value === null || value === undefined ? "–" : value.toPrecision(digits));
  const measured = (run) => (run ? `${number(run[0], 3)}${run[2] === "ok" ? "" : ` (${run[2].replace("_", " ")})`}` : "not run");

  const show = () => {
    const found = tables[table.value], names = [one, other].map((each) => each.selectedOptions[0].textContent);
    place.replaceChildren();
    for (const [workload, runs] of Object.entries(found.runs)) {
      const mine = runs[one.value] || {}, theirs = runs[other.value] || {};
      const seeds = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])].sort((a, b) => a - b);
      if (!seeds.length) continue;
      const heading = document.createElement("h3"), words = document.createElement("p"), scroll = document.createElement("div");
      heading.textContent = `${workload}: ${names[0]} and ${names[1]}, seed by seed`;
      const made = document.createElement("table"), head = made.createTHead().insertRow(), body = made.createTBody();
      for (const name of ["seed", `${names[0]}, distance`, `${names[1]}, distance`, `${names[0]}, score`, `${names[1]}, score`, "difference"])
        cell(head, name, "th");
      const differences = [];
      for (const seed of seeds) {
        const row = body.insertRow(), [a, b] = [mine[seed], theirs[seed]];
        cell(row, seed, "th");
        cell(row, measured(a));
        cell(row, measured(b));
        const both = a && b && a[1] !== null && b[1] !== null, difference = both ? a[1] - b[1] : null;
        cell(row, a ? number(a[1], 3) : "–", "td", both && difference > 0 ? "number won" : "number");
        cell(row, b ? number(b[1], 3) : "–", "td", both && difference < 0 ? "number won" : "number");
        cell(row, both ? `${difference > 0 ? "+" : ""}${difference.toFixed(3)}` : "–");
        if (both) differences.push(difference);
      }
      const wins = differences.filter((each) => each > 0).length, ties = differences.filter((each) => each === 0).length;
      const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length;
      words.textContent = differences.length
        ? `${names[0]} has the higher score at ${wins} of ${differences.length} seeds${ties ? `, and the same at ${ties}` : ""}; the mean difference is ${mean > 0 ? "+" : ""}${mean.toFixed(3)}.`
        : "No seed has a score of both.";
      scroll.className = "scroll";
      scroll.tabIndex = 0;
      scroll.append(made);
      place.append(heading, words, scroll);
    }
  };
  form.addEventListener("input", (event) => {
    if (event.target === table) offer();
    show();
    remember(["in", "one", "other"], {in: table.value, one: one.value, other: other.value});
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  offer();
  show();
})();
