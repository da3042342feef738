"use strict";
// Draws the figures that the page carries as JSON, in the colours of the page's theme; charts over time share their zoom.
const page = (() => {
  const carried = JSON.parse(document.getElementById("report-data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 560px)");
  const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const whole = carried.zoom;
  let zoom = whole; // the time range that all charts over time share
  const linked = new Set(); // their places

  // The figure with its "ink" and its blue as they are in the page's theme.
  function inked(value, ink, blue) {
    if (value === "ink") return ink;
    if (typeof value === "string") return value.startsWith("#0072b2") ? value.replace("#0072b2", blue) : value;
    if (Array.isArray(value)) return value.map((item) => inked(item, ink, blue));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inked(item, ink, blue)]));
    return value;
  }

  function themed(figure) {
    const [ink, grid, card] = [css("--ink"), css("--grid"), css("--card")];
    const { data, layout } = inked(figure, ink, css("--blue"));
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: narrow.matches ? 12 : 13, color: ink };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: ink };
    layout.hoverlabel = { bgcolor: card, bordercolor: grid, font: { color: ink } };
    for (const axis of ["xaxis", "yaxis"]) {
      layout[axis] = { ...layout[axis], automargin: true, gridcolor: grid, zerolinecolor: css("--soft"), linecolor: grid };
      if (layout[axis].title) layout[axis].title = { ...layout[axis].title, standoff: 8, font: { size: layout.font.size } };
    }
    if (layout.xaxis.type === "date") {
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
    const { data, layout } = themed(figure);
    Plotly.react(place, data, layout, { ...config, displayModeBar: narrow.matches ? false : "hover" });
    if (layout.xaxis.type === "date" && !linked.has(place)) {
      linked.add(place);
      place.on("plotly_relayout", (change) => shareZoom(place, change));
    }
  }

  function shareZoom(from, change) {
    const range = change["xaxis.range"] ?? [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    const wanted = change["xaxis.autorange"] ? whole : range;
    if (!wanted[0] || String(wanted) === String(zoom)) return; // another change, or our own echo
    zoom = wanted;
    for (const place of linked) if (place !== from) Plotly.relayout(place, { "xaxis.range": [...zoom] });
  }

  // Draw now, and again when the reader's theme or the width of the page changes.
  function start(drawAll) {
    dark.addEventListener("change", drawAll);
    narrow.addEventListener("change", drawAll);
    drawAll();
  }

  return { carried, draw, start };
})();
