"use strict";
// Draws the charts in the colours of the page, again when light turns to dark.
const charts = JSON.parse(document.getElementById("charts").textContent);
const NAMES = /^(ink|muted|soft|grid|gain|loss|series\d)$/;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function coloured(value) {
  if (Array.isArray(value)) return value;
  if (value === null || typeof value !== "object") return value;
  const copy = {};
  for (const [key, inner] of Object.entries(value)) {
    copy[key] = key === "color" && NAMES.test(inner) ? colour(inner) : coloured(inner);
  }
  return copy;
}

function themed(layout) {
  const made = {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("soft"), size: 12, family: "system-ui, sans-serif" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("ink") },
    hoverlabel: { bgcolor: colour("panel"), font: { color: colour("ink") } },
  };
  for (const axis of ["xaxis", "yaxis", "yaxis2"]) {
    if (!layout[axis]) continue;
    const lines = { gridcolor: colour("grid"), zerolinecolor: colour("muted"), automargin: true };
    made[axis] = { ...lines, ...layout[axis] };
  }
  return made;
}

function draw() {
  for (const [id, chart] of Object.entries(charts)) {
    const options = { responsive: true, displaylogo: false };
    Plotly.react(id, chart.data.map(coloured), themed(chart.layout), options);
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
