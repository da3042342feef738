// The report of a run: its charts, and the home that the reader chooses.
(() => {
  const { figures, homes, slotSeconds } = page.carried;

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
      let y = home.as_is[series];
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
    for (const name of ["home_devices", "home_energy", "home_storage", "home_temperatures"]) {
      const figure = filled(figures[name], home);
      document.getElementById(`part-${name}`).hidden = figure.data.length === 0;
      if (figure.data.length) page.draw(name, figure);
    }
    const facts = document.getElementById("home-facts");
    facts.textContent = "";
    row(facts, "devices", home.devices || "none");
    row(facts, "cost alone", euros(home.alone));
    row(facts, "cost with the market", euros(home.market));
    row(facts, "saved by the market", euros(home.alone - home.market));
    for (const [source, kwh] of Object.entries(home.sold)) row(facts, `sold from ${source}`, `${kwh.toFixed(3)} kWh`);
    row(facts, "price packages", home.packages || "none");
    for (const [other, kwh] of Object.entries(home.contracts)) {
      row(facts, `contract with ${other}`, `${Math.abs(kwh).toFixed(3)} kWh ${kwh > 0 ? "bought" : "sold"}`);
    }
    const bill = document.getElementById("home-bill");
    bill.textContent = "";
    for (const [part, amount] of Object.entries(home.bill)) row(bill, part, euros(amount));
  }

  const chooser = document.getElementById("home");
  const chosen = () => homes.find((home) => String(home.account) === chooser.value);
  function drawAll() {
    for (const [name, figure] of Object.entries(figures)) if (!name.startsWith("home_")) page.draw(name, figure);
    showHome(chosen());
  }
  chooser.addEventListener("change", () => showHome(chosen()));
  page.start(drawAll);
})();
