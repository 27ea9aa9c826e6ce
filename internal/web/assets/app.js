// The dashboard: statistics once a second, events as they come. Text from events only ever becomes text nodes.
"use strict";

const ROWS = 200;      // events kept on the page
const READABLE = 200;  // events a second above which the automatic sample thins them

const $ = (id) => document.getElementById(id);
function el(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

const CHARTS = [
  {name: "Hit ratio", css: "c-ratio", top: 1, of: (p) => p.hits + p.misses ? p.hits / (p.hits + p.misses) : null, show: percent},
  {name: "Throughput", css: "c-bytes", of: (p) => p.bytes, show: (v) => bytes(v) + "/s"},
  {name: "Loads", css: "c-loads", of: (p) => p.loads, show: (v) => number(v) + "/s"},
  {name: "Evictions", css: "c-evictions", of: (p) => p.evictions, show: (v) => number(v) + "/s"},
];
const routes = new Map(); // name → {points, cells, note}

function routeRow(name) {
  if (routes.has(name)) return routes.get(name);
  const row = el("tr"), head = el("th", "", name || "all routes"), note = el("small");
  head.scope = "row";
  head.append(note);
  row.append(head);
  const cells = CHARTS.map((c) => {
    const cell = el("td"), value = el("b"), chart = newChart();
    cell.dataset.name = c.name;
    chart.element.classList.add(c.css);
    cell.append(value, chart.element);
    row.append(cell);
    return {value, chart};
  });
  $("routes").tBodies[0].append(row);
  routes.set(name, {points: [], cells, note});
  return routes.get(name);
}

function drawRoute(stats) {
  const r = routeRow(stats.route);
  const total = stats.total.hits + stats.total.misses;
  r.note.textContent = total ? `${number(total)} reads, ${percent(stats.hit_ratio)} hits` : "no reads yet";
  CHARTS.forEach((c, i) => {
    const values = r.points.map(c.of), now = values.length ? values[values.length - 1] : null;
    const text = now === null ? "–" : c.show(now);
    const most = Math.max(0, ...values.map((v) => v || 0));
    r.cells[i].value.textContent = text;
    if (!c.top && most > 0) r.cells[i].value.append(el("small", "", ` peak ${c.show(most)}`));
    r.cells[i].chart.draw(values, `${c.name} over the last minute, now ${text}, peak ${c.show(most)}`, c.top);
  });
}

function drawTiles(s) {
  const r = s.all.last_10s, t = s.all.total, reads = t.hits + t.misses;
  const tiles = [
    ["Hit ratio", percent(r.hit_ratio), `${percent(s.all.hit_ratio)} since the start`],
    ["Reads", number(r.hits + r.misses) + "/s", `${number(reads)} in all`],
    ["Served", bytes(r.bytes) + "/s", `${bytes(t.bytes)} in all`],
    ["Loads", number(r.loads) + "/s", t.loads ? `${number(t.loads)} in all, ${number(t.rows)} rows` : "none yet"],
    ["Evictions", number(r.evictions) + "/s", `${number(t.evictions)} in all`],
    ["Failed reads", number(t.errors), s.events_lost ? `in all; ${number(s.events_lost)} events lost` : "in all; no event lost"],
  ];
  if (s.clients !== undefined) tiles.push(["Clients", number(s.clients), `${number(s.requests)} commands`]);
  const max = s.redis_memory_max_bytes;
  if (max !== undefined) tiles.push(["Redis memory", bytes(s.redis_memory_used_bytes), max ? `of ${bytes(max)}` : "no maxmemory set"]);
  if (s.near_bytes !== undefined) tiles.push(["Near copy", bytes(s.near_bytes), s.spool_bytes ? `${bytes(s.spool_bytes)} of events spooled` : "in this process"]);
  $("tiles").replaceChildren(...tiles.map(() => el("div")));
  tiles.forEach(([name, value, note], i) => $("tiles").children[i].append(el("dt", "", name), el("dd", "", value), el("dd", "", note)));
}

// state is said aloud by screen readers, so it changes only when the words do.
function state(text, css) {
  if ($("state").textContent !== text) $("state").textContent = text;
  $("state").className = css;
}

function take(s) {
  for (const h of s.history || []) routeRow(h.route).points = h.points.slice(-POINTS);
  for (const r of [s.all, ...s.routes]) {
    const row = routeRow(r.route);
    if (!s.history) row.points = [...row.points, r.last_1s].slice(-POINTS);
    drawRoute(r);
  }
  drawTiles(s);
  $("backends").replaceChildren(...Object.entries(s.backends || {}).map(([name, up]) => el("li", up ? "" : "down", up ? name : name + " is down")));
  state(`up ${age(s.uptime_seconds)}`, "state");
  setAutomatic(s.all.last_1s);
}

let full = true; // the next answer is to bring the whole minute
async function poll() {
  try {
    const answer = document.hidden ? null : await fetch("/api/v1/stats" + (full ? "?history=true" : ""));
    full = !answer;
    if (answer && !answer.ok) throw new Error(answer.status === 401 ? "a password is needed: reload the page" : `status ${answer.status}`);
    if (answer) take(await answer.json());
  } catch (err) {
    state(`no statistics: ${err.message}`, "state bad");
    full = true;
  }
  setTimeout(poll, 1000);
}

const form = $("filter");
let source = null, paused = false, automatic = 1, retry = 0;
let waiting = []; // events not on the page yet, oldest first

// setAutomatic thins the stream by powers of ten, and goes back only well below, so that it does not swing.
function setAutomatic(rate) {
  const reads = rate.hits + rate.misses;
  const wanted = Math.min(1000, 10 ** Math.max(0, Math.ceil(Math.log10(reads / READABLE || 1))));
  if (wanted === automatic || wanted < automatic && reads * 20 > automatic * READABLE) return;
  automatic = wanted;
  if (form.sample.value === "auto") connect();
}

function query() {
  const q = new URLSearchParams();
  for (const name of ["kind", "route", "session", "prefix"]) if (form[name].value) q.set(name, form[name].value);
  const sample = form.sample.value === "auto" ? automatic : Number(form.sample.value);
  if (sample > 1) q.set("sample", sample);
  return q;
}

function connect() {
  clearTimeout(retry);
  if (source) source.close();
  const q = query(), url = "/events" + (q.size ? "?" + q : "");
  $("shown").textContent = q.has("sample") ? `events of 1 key in ${Number(q.get("sample")).toLocaleString("en")}` : "of every key";
  source = new EventSource(url);
  source.onopen = () => { $("problem").hidden = true; };
  source.onmessage = (m) => {
    try { waiting.push(JSON.parse(m.data)); } catch { return; }
    if (waiting.length > ROWS) waiting.shift();
  };
  // The browser comes back by itself after a broken connection, not after an answer that is no stream.
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return problem("The stream broke. Connecting again…");
    explain(url);
    retry = setTimeout(connect, 5000);
  };
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
}

// explain asks again to see why there is no stream, which an EventSource does not tell.
async function explain(url) {
  const stop = new AbortController();
  try {
    const answer = await fetch(url, {signal: stop.signal});
    const p = answer.ok ? null : await answer.json();
    if (p) problem(`${p.title} ${p.detail || ""}`);
  } catch { problem("Forebay does not answer. Trying again…"); }
  stop.abort();
}

function what(e) {
  const parts = [];
  parts.push(...[e.result, e.reason].filter(Boolean));
  if (e.origin) parts.push(e.kind === "hit" ? "from " + e.origin : "asked " + e.origin);
  if (e.rows !== undefined) parts.push(e.rows === 1 ? "1 row" : `${number(e.rows)} rows`);
  if (e.count !== undefined) parts.push(number(e.count) + ({gap: " events not shown", session: " keys given back"}[e.kind] ?? " reads"));
  parts.push(...[e.by && "by " + e.by, e.error, e.text].filter(Boolean));
  return parts.join(", ");
}

function eventRow(e, fresh) {
  const row = el("tr", fresh ? "new" : "");
  row.setAttribute("role", "row");
  const key = e.key ?? (e.key_b64 === undefined ? "" : "base64 " + e.key_b64);
  const cells = [["time", (e.time || "").slice(11, 23)], ["kind k-" + e.kind, e.kind], ["key", key], ["route", e.route || ""],
    ["session", e.session || ""], ["what", what(e)], ["num size", e.bytes === undefined ? "" : bytes(e.bytes)],
    ["num took", e.duration_us === undefined ? "" : duration(e.duration_us)]];
  for (const [css, text] of cells) row.appendChild(el("td", css, text)).setAttribute("role", "cell");
  return row;
}

// flush moves what came to the page a few times a second, newest first: a row each would keep the browser busy with layout.
function flush() {
  if (paused) $("pause").textContent = waiting.length ? `Resume (${waiting.length}${waiting.length === ROWS ? "+" : ""})` : "Resume";
  else if (waiting.length && !document.hidden) {
    const body = $("rows");
    const few = waiting.length < 4; // more than that would make the whole table flicker
    body.prepend(...waiting.map((e) => eventRow(e, few)).reverse());
    waiting = [];
    while (body.rows.length > ROWS) body.lastChild.remove();
    $("empty").hidden = true;
  }
  setTimeout(flush, 250);
}

function changed() {
  const q = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...q]) if (!value || value === "auto") q.delete(name);
  history.replaceState(null, "", q.size ? "#" + q : location.pathname);
  waiting = [];
  $("rows").replaceChildren();
  $("empty").hidden = false;
  connect();
}

async function start() {
  try {
    const answer = await fetch("/api/v1/routes");
    for (const r of (await answer.json()).routes) form.route.append(new Option(r.name, r.name));
  } catch { /* the list of routes stays empty; the statistics say what is wrong */ }
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (form[name]) form[name].value = value;
  let typing = 0;
  form.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(changed, 300); });
  form.addEventListener("submit", (e) => e.preventDefault());
  $("pause").addEventListener("click", () => {
    paused = !paused;
    $("pause").setAttribute("aria-pressed", paused);
    $("pause").textContent = paused ? "Resume" : "Pause";
  });
  poll();
  connect();
  flush();
}
start();
