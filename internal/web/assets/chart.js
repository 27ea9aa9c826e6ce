// Small charts as inline SVG, and how numbers are written. A chart's text is its label: nothing needs a pointer to be read.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120, HEIGHT = 34, POINTS = 60;

function svg(name, attributes, parent) {
  const e = document.createElementNS(SVG, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (parent) parent.append(e);
  return e;
}

// newChart returns {element, draw(values, label, top)}: values oldest first, null where there is none; top is what the full height
// stands for, 0 for the largest value.
function newChart() {
  const element = svg("svg", {class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img"});
  svg("line", {x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1}, element);
  const area = svg("path", {class: "area"}, element), stroke = svg("path", {}, element);
  function draw(values, label, top) {
    top = top || Math.max(1e-9, ...values.map((v) => v || 0));
    const offset = POINTS - values.length;
    let line = "", fill = "", run = [];
    const end = () => {
      if (run.length === 0) return;
      line += `M${run[0]}L${run.join("L")}`; // the first twice: a lone point shows as a dot
      fill += `M${run[0].split(" ")[0]} ${HEIGHT - 1}L${run.join("L")}V${HEIGHT - 1}Z`;
      run = [];
    };
    values.forEach((v, i) => {
      if (v === null) return end();
      const x = (offset + i) * WIDTH / (POINTS - 1), y = HEIGHT - 1 - Math.min(v / top, 1) * (HEIGHT - 3);
      run.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
    });
    end();
    stroke.setAttribute("d", line);
    area.setAttribute("d", fill);
    element.setAttribute("aria-label", label);
  }
  return {element, draw};
}

// number writes a count: 0, 3.4, 57, 1,240, 18.3k, 2.1M.
function number(n) {
  if (n === 0) return "0";
  if (n < 10) return String(Math.max(0.1, Math.round(n * 10) / 10));
  if (n < 10000) return Math.round(n).toLocaleString("en");
  const [unit, size] = n >= 1e9 ? ["G", 1e9] : n >= 1e6 ? ["M", 1e6] : ["k", 1e3];
  return (n / size).toFixed(n < 100 * size ? 1 : 0) + unit;
}

// bytes writes a size: 0 B, 512 B, 3.1 KB, 47 MB.
function bytes(n) {
  let unit = 0;
  while (n >= 1000 && unit < 4) { n /= 1000; unit++; }
  return (unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)) + " " + ["B", "KB", "MB", "GB", "TB"][unit];
}

// percent writes a ratio; only a true 1 is 100 %.
function percent(r) {
  if (r === null || r === undefined) return "–";
  return (r < 1 ? Math.min(r * 100, 99.99).toFixed(r > 0.999 ? 2 : 1) : "100") + " %";
}

function duration(us) {
  if (us < 1000) return Math.round(us) + " µs";
  return us < 1e6 ? (us / 1000).toFixed(us < 10000 ? 2 : 1) + " ms" : (us / 1e6).toFixed(2) + " s";
}

function age(seconds) {
  const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60;
  return h > 48 ? `${Math.floor(h / 24)} d ${h % 24} h` : h ? `${h} h ${m} min` : m ? `${m} min` : `${Math.floor(seconds)} s`;
}
