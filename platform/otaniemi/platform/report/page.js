"use strict";
// Draws the figures that the page carries as JSON, in the colours of the page's theme, and fills in the chosen home.
(() => {
  const { figures, homes, slotSeconds } = JSON.parse(document.getElementById("report-data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 560px)");
  const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const timeCharts = ["community", "prices", "home_devices", "home_energy", "home_storage"];
  const edges = figures.community.data[0].x;
  const wholeRun = [edges[0], edges[edges.length - 1]];
  let zoom = wholeRun; // the time range that all charts over time share

  // The figure with its "ink" and its blue as they are in the page's theme.
  function inked(value, ink, blue) {
    if (value === "ink") return ink;
    if (typeof value === "string") return value.startsWith("#0072b2") ? value.replace("#0072b2", blue) : value;
    if (Array.isArray(value)) return value.map((item) => inked(item, ink, blue));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inked(item, ink, blue)]));
    return value;
  }

  function themed(figure, name) {
    const [ink, grid, card] = [css("--ink"), css("--grid"), css("--card")];
    const { data, layout } = inked(figure, ink, css("--blue"));
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: narrow.matches ? 12 : 13, color: ink };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: ink };
    layout.hoverlabel = { bgcolor: card, bordercolor: grid, font: { color: ink } };
    for (const axis of ["xaxis", "yaxis"]) {
      layout[axis] = { ...layout[axis], automargin: true, gridcolor: grid, zerolinecolor: css("--soft"), linecolor: grid };
      if (layout[axis].title) layout[axis].title = { ...layout[axis].title, standoff: 8, font: { size: layout.font.size } };
    }
    if (timeCharts.includes(name)) {
      layout.xaxis.range = [...zoom];
      if (narrow.matches) layout.xaxis.nticks = 5;
    }
    if (narrow.matches) {
      layout.dragmode = false; // one finger scrolls the page
      for (const { marker } of data) if (Array.isArray(marker?.size)) marker.size = marker.size.map((size) => 0.6 * size);
    }
    return { data, layout };
  }

  function draw(name, figure) {
    const place = document.getElementById(`chart-${name}`);
    if (!place) return;
    const { data, layout } = themed(figure, name);
    Plotly.react(place, data, layout, { ...config, displayModeBar: narrow.matches ? false : "hover" });
    if (timeCharts.includes(name) && !place.dataset.linked) {
      place.dataset.linked = "yes";
      place.on("plotly_relayout", (change) => shareZoom(name, change));
    }
  }

  function shareZoom(from, change) {
    const range = change["xaxis.range"] ?? [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    const wanted = change["xaxis.autorange"] ? wholeRun : range;
    if (!wanted[0] || String(wanted) === String(zoom)) return; // another change, or our own echo
    zoom = wanted;
    for (const name of timeCharts) {
      const place = document.getElementById(`chart-${name}`);
      if (name !== from && place?.data) Plotly.relayout(place, { "xaxis.range": [...zoom] });
    }
  }

  // A template trace names its series in `meta`: [series, sign]; the sign says which part of it is drawn.
  const PART = {
    0: (wh) => wh, // all of it
    [-1]: (wh) => Math.max(-wh, 0), // what is supplied, above zero
    1: (wh) => -Math.max(wh, 0), // what is used, below zero
  };
  function filled(template, home) {
    const data = [];
    for (const trace of template.data) {
      const [series, sign] = trace.meta;
      let y = home.percent[series];
      if (!y && home.wh[series]) {
        y = home.wh[series].map((wh) => (PART[sign](wh) * 3.6) / slotSeconds);
        y.push(y[y.length - 1]); // a staircase ends at the end of the last slot
      }
      if (y && (sign === 0 || y.some((value) => value !== 0))) data.push({ ...trace, y });
    }
    for (const trace of data)
      if (trace.showlegend === false) trace.showlegend = !data.some((other) => other !== trace && other.name === trace.name);
    return { ...template, data };
  }

  const euros = (value) => `${value.toFixed(3)} EUR`;

  function row(table, name, value) {
    const line = table.insertRow();
    line.insertCell().textContent = name;
    const cell = line.insertCell();
    cell.className = "number";
    cell.textContent = value;
  }

  function showHome(home) {
    for (const name of ["home_devices", "home_energy", "home_storage"]) {
      const figure = filled(figures[name], home);
      document.getElementById(`part-${name}`).hidden = figure.data.length === 0;
      if (figure.data.length) draw(name, figure);
    }
    const facts = document.getElementById("home-facts");
    facts.textContent = "";
    row(facts, "devices", home.devices || "none");
    row(facts, "cost alone", euros(home.alone));
    row(facts, "cost with the market", euros(home.market));
    row(facts, "saved by the market", euros(home.alone - home.market));
    for (const [source, kwh] of Object.entries(home.sold)) row(facts, `sold from ${source}`, `${kwh.toFixed(3)} kWh`);
    const bill = document.getElementById("home-bill");
    bill.textContent = "";
    for (const [part, amount] of Object.entries(home.bill)) row(bill, part, euros(amount));
  }

  const chooser = document.getElementById("home");
  const chosen = () => homes.find((home) => String(home.account) === chooser.value);
  function drawAll() {
    for (const [name, figure] of Object.entries(figures)) if (!name.startsWith("home_")) draw(name, figure);
    showHome(chosen());
  }
  chooser.addEventListener("change", () => showHome(chosen()));
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
  drawAll();
})();
