// The interactive figures, drawn by plotly when they come into view. Each replaces the SVG that says the same.
"use strict";
(() => {
  const tables = JSON.parse(document.getElementById("data").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const text = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const COLORS = 6;

  // Which methods are colored, and by which color; a method keeps its color while it has one.
  const places = new Map();
  const mark = (id) => {
    if (places.has(id)) return places.delete(id);
    const taken = new Set(places.values());
    const free = [...Array(COLORS).keys()].find((place) => !taken.has(place));
    if (free === undefined) {
      const [oldest, place] = places.entries().next().value;
      places.delete(oldest);
      return places.set(id, place);
    }
    return places.set(id, free);
  };
  for (const table of Object.values(tables))
    for (const method of table.methods) if (method.marked && !places.has(method.id) && places.size < COLORS) mark(method.id);
  const color = (id) => (places.has(id) ? css(`--c${places.get(id) + 1}`) : css("--other"));
  const faded = (hex) => hex.replace(/^#(..)(..)(..)$/, (_, r, g, b) => `rgba(${[r, g, b].map((x) => parseInt(x, 16))},0.2)`);

  const layout = (changes) => {
    const axis = {gridcolor: css("--rule"), linecolor: css("--rule"), zeroline: false, automargin: true, fixedrange: false};
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
      font: {family: css("--sans"), size: 12, color: css("--muted")}, margin: {l: 50, r: 20, t: 30, b: 45},
      hoverlabel: {bgcolor: css("--card"), bordercolor: css("--rule"), font: {color: css("--ink")}, align: "left"},
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      ...changes,
      xaxis: {...axis, showgrid: false, ...changes.xaxis}, yaxis: {...axis, ...changes.yaxis},
    };
  };
  const heading = (words) => ({text: text(words), x: 0, xref: "paper", xanchor: "left", font: {size: 12}, y: 0.98, yanchor: "top"});
  // Of a name that is longer than its room the middle is left out; it is whole where one points at its line or dot.
  const LETTER = 6.4;
  const brief = (name, room) => {
    const most = Math.max(9, Math.floor(room / LETTER)), half = Math.floor((most - 1) / 2);
    return name.length <= most ? name : `${name.slice(0, half)}…${name.slice(-half)}`;
  };
  // Gray methods first, so that the colored ones lie above them.
  const shown = (methods) => methods.filter((each) => page.shown(each.id))
    .sort((a, b) => places.has(a.id) - places.has(b.id));

  function ranks(table) {
    const methods = table.methods.filter((each) => page.shown(each.id) && each.rank !== null && each.ranks[0] !== null);
    const traces = methods.map((each) => {
      const tint = places.has(each.id) ? color(each.id) : css("--muted");
      return {
        x: [each.rank], y: [text(each.name)], customdata: [each.id], mode: "markers", type: "scatter",
        marker: {size: 9, color: each.best ? tint : css("--paper"), line: {color: tint, width: 1.5}},
        error_x: {type: "data", symmetric: false, array: [each.ranks[1] - each.rank], arrayminus: [each.rank - each.ranks[0]],
          color: tint, thickness: 2.5, width: 0},
        hovertemplate: `${text(each.name)}<br>rank ${each.ranks[0]} to ${each.ranks[1]}${each.best ? ", may be the best" : ""}<extra></extra>`,
      };
    });
    return [traces, layout({
      height: 90 + 22 * methods.length,
      xaxis: {title: {text: "rank, with its 95 % interval"}, showgrid: true, range: [0.5, table.methods.length + 0.5],
        dtick: table.methods.length < 15 ? 1 : undefined},
      yaxis: {autorange: "reversed", showgrid: false, type: "category", categoryarray: methods.map((each) => text(each.name)),
        tickvals: methods.map((each) => text(each.name)), ticktext: methods.map((each) => text(brief(each.name, 0.4 * innerWidth)))},
    })];
  }

  function costs(table) {
    const methods = shown(table.methods).filter((each) => each.cost !== null && each.score !== null);
    const few = methods.length <= 12 && innerWidth > 640;
    const front = methods.filter((each) => table.front.includes(each.id)).sort((a, b) => a.cost - b.cost);
    // Names stand towards the middle, where there is room for them.
    const middle = Math.sqrt(Math.max(...methods.map((each) => each.cost)) * Math.min(...methods.map((each) => each.cost)));
    const traces = [{
      x: front.map((each) => each.cost), y: front.map((each) => each.score), mode: "lines", hoverinfo: "skip",
      line: {color: css("--muted"), width: 1, dash: "dash"},
    }];
    for (const each of methods) {
      const named = few || places.has(each.id) || table.front.includes(each.id);
      const [low, high] = each.scores;
      traces.push({
        x: [each.cost], y: [each.score], customdata: [each.id], mode: named ? "markers+text" : "markers", text: [text(brief(each.name, 0.35 * Math.min(innerWidth, 1100)))],
        textposition: each.cost > middle ? "top left" : "top right", cliponaxis: false, textfont: {color: places.has(each.id) ? color(each.id) : css("--muted"), size: 11},
        marker: {size: 9, color: table.front.includes(each.id) ? color(each.id) : css("--paper"), line: {color: color(each.id), width: 1.5}},
        error_y: low === null ? undefined
          : {type: "data", symmetric: false, array: [high - each.score], arrayminus: [each.score - low], color: color(each.id), thickness: 1.2, width: 0},
        hovertemplate: `${text(each.name)}<br>score %{y:.3f}, %{x:.4~g} ${text(table.costWords)}<extra></extra>`,
      });
    }
    return [traces, layout({
      height: 440, margin: {l: 50, r: 80, t: 30, b: 45}, xaxis: {type: "log", title: {text: narrow(`${text(table.costWords)} (logarithmic)`)}, tickvals: ticks(methods.map((each) => each.cost)), showgrid: true},
      yaxis: {title: {text: "score"}},
    })];
  }

  // Every digit where the values lie close together, else 1, 2 and 5 of each power of ten.
  function ticks(values) {
    if (!values.length) return [];
    const low = Math.floor(Math.log10(Math.min(...values))), high = Math.log10(Math.max(...values));
    const digits = Math.max(...values) / Math.min(...values) < 5 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [1, 2, 5];
    return [...Array(Math.ceil(high - low) + 1).keys()].flatMap((power) => digits.map((digit) => digit * 10 ** (low + power)));
  }

  function curves(table, id) {
    const figure = table.curves[id];
    const scale = figure.logarithmic ? figure.limits.map(Math.log10) : figure.limits;
    const traces = [], notes = [];
    for (const each of shown(figure.series)) {
      const tint = color(each.id), marked = places.has(each.id);
      const x = (each.x || figure.x).slice(0, each.middle.length);
      if (marked) {
        const inside = x.map((_, at) => at).filter((at) => each.low[at] !== null);
        const top = (at) => (each.high[at] === null ? figure.limits[1] * 1000 : each.high[at]);
        traces.push({
          x: [...inside.map((at) => x[at]), ...inside.map((at) => x[at]).reverse()],
          y: [...inside.map(top), ...inside.map((at) => each.low[at]).reverse()],
          fill: "toself", fillcolor: faded(tint), line: {width: 0}, mode: "lines", hoverinfo: "skip",
        });
        const last = each.middle.reduce((found, value, at) => (value === null ? found : at), 0);
        notes.push({
          x: x[last], y: figure.logarithmic ? Math.log10(each.middle[last]) : each.middle[last], text: text(brief(each.name, 0.5 * innerWidth - 16)),
          xanchor: "left", xshift: 4, showarrow: false, font: {color: tint, size: 11}, height: undefined,
        });
      }
      traces.push({
        x, y: each.middle, customdata: x.map(() => each.id), mode: "lines", connectgaps: false,
        line: {color: tint, width: marked ? 2.2 : 1},
        hovertemplate: `${text(each.name)}<br>%{y:.4~g} at step %{x:,}<extra></extra>`,
      });
    }
    for (const [level, words] of figure.levels)
      notes.push({
        xref: "paper", x: 1, xanchor: "right", y: figure.logarithmic ? Math.log10(level) : level, yanchor: "bottom",
        text: text(words), showarrow: false, font: {size: 10},
      });
    apart(notes.filter((note) => note.xref !== "paper"), scale);
    return [traces, layout({
      height: 400, title: heading(figure.unit), annotations: notes, margin: {l: 55, r: room(notes.filter((note) => note.xref !== "paper")), t: 34, b: 45},
      shapes: figure.levels.map(([level]) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: level, y1: level, line: {color: css("--muted"), width: 1, dash: "dot"},
      })),
      xaxis: {title: {text: "generator updates"}, range: [0, figure.steps], tickformat: ",d"},
      yaxis: {type: figure.logarithmic ? "log" : "linear", range: scale, ...(figure.logarithmic ? {dtick: scale[1] - scale[0] > 1.5 ? Math.ceil((scale[1] - scale[0]) / 6) : "D2", exponentformat: "power"} : {})},
    })];
  }

  // On a narrow screen words take two lines, and names beside the frame as much room as they need.
  const narrow = (words) => (innerWidth < 640 ? words.replace(", ", ",<br>") : words);
  const room = (notes) => Math.min(0.5 * innerWidth, Math.max(110, ...notes.map((note) => 16 + LETTER * note.text.length)));

  // Names beside each other's lines move up until none lies on another.
  function apart(notes, [low, high]) {
    const gap = (high - low) * 0.05;
    notes.sort((a, b) => a.y - b.y);
    notes.forEach((note, at) => {
      const free = at ? notes[at - 1].y + (notes[at - 1].yshift || 0) * (high - low) / 320 + gap : -Infinity;
      if (note.y < free) note.yshift = (free - note.y) * 320 / (high - low);
    });
  }

  const draw = (figure) => {
    const table = tables[figure.dataset.in];
    const kind = figure.id.slice(figure.dataset.in.length + 1);
    const [traces, look] = kind === "ranks" ? ranks(table) : kind === "cost" ? costs(table) : curves(table, figure.id);
    let plot = figure.querySelector(".plot");
    if (!plot) {
      plot = document.createElement("div");
      plot.className = "plot";
      plot.setAttribute("role", "img");
      plot.setAttribute("aria-label", figure.querySelector("svg").getAttribute("aria-label"));
      figure.append(plot);
      figure.classList.add("drawn");
    }
    const settings = {responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["select2d", "lasso2d"]};
    const listens = plot.classList.contains("js-plotly-plot");
    Plotly.react(plot, traces, look, settings);
    if (!listens) plot.on("plotly_click", ({points}) => points[0].customdata && toggle(points[0].customdata));
  };

  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const {target, isIntersecting} of entries) {
      if (!isIntersecting || seen.has(target)) continue;
      seen.add(target);
      draw(target);
    }
  }, {rootMargin: "400px"});
  const figures = [...document.querySelectorAll("figure.chart")];
  figures.forEach((figure) => watch.observe(figure));

  // The figures that have been drawn follow; one that is hidden is drawn again when it is shown.
  const refresh = () => {
    for (const figure of seen) {
      if (figure.offsetParent === null) {
        seen.delete(figure);
        watch.unobserve(figure);
        watch.observe(figure);
      } else draw(figure);
    }
    for (const button of document.querySelectorAll("button.mark")) {
      const on = places.has(button.dataset.mark);
      button.setAttribute("aria-pressed", String(on));
      button.style.background = on ? color(button.dataset.mark) : "";
    }
  };
  const toggle = (id) => { mark(id); refresh(); };
  page.refresh.push(refresh);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);

  // A square before each name in the tables colors the method, by mouse or keyboard.
  for (const row of document.querySelectorAll("table.sortable tbody tr")) {
    const link = row.querySelector("td.method a");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "mark";
    button.dataset.mark = row.dataset.method;
    button.setAttribute("aria-label", `Color ${link.textContent} in the figures`);
    button.addEventListener("click", () => toggle(row.dataset.method));
    link.before(button);
  }
  refresh();
})();
