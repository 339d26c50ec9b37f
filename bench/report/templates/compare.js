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
    // What the table lacks makes way for the first that is not the other one: nothing is compared with itself.
    const known = (id, against) => [id, methods.map(([each]) => each).find((each) => each !== against), methods[0][0]]
      .find((each) => methods.some(([has]) => has === each));
    const wanted = [one.value || address.get("one"), other.value || address.get("other")];
    fill(one, methods, known(wanted[0], wanted[1]));
    fill(other, methods, known(wanted[1], one.value));
  };

  const cell = (row, words, kind = "td", look = "number") => {
    const made = document.createElement(kind);
    made.textContent = words;
    made.className = look;
    if (kind === "th") made.scope = row.parentElement.tagName === "THEAD" ? "col" : "row";
    row.append(made);
    return made;
  };
  // As the tables write them.
  const distance = (value) => {
    if (value === null) return "–";
    if (value < 1) return String(Number(value.toPrecision(3)));
    const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
    return value.toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits});
  };
  const score = (run) => (run && run[1] !== null ? run[1].toFixed(3) : "–");
  const signed = (value) => `${Number(value.toFixed(3)) < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
  const measured = (run) => (run ? `${distance(run[0])}${run[2] === "ok" ? "" : ` (${run[2].replace("_", " ")})`}` : "not run");

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
        cell(row, score(a), "td", both && difference > 0 ? "number won" : "number");
        cell(row, score(b), "td", both && difference < 0 ? "number won" : "number");
        cell(row, both ? signed(difference) : "–");
        if (both) differences.push(difference);
      }
      const wins = differences.filter((each) => each > 0).length, ties = differences.filter((each) => each === 0).length;
      const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length;
      words.textContent = differences.length
        ? `${names[0]} has the higher score at ${wins} of ${differences.length} seeds${ties ? `, and the same at ${ties}` : ""}; the mean difference is ${signed(mean)}.`
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
