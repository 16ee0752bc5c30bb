// The page works without this script; it adds keys, rows that follow, and searches without a reload.
"use strict";

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("rows", { createHTML: (text) => text })
  : { createHTML: (text) => text };
const live = document.getElementById("live");
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const ticks = new Set();
const COLUMNS = 14;
let running = null;

function say(text) {
  live.textContent = text;
}

function parsed(text) {
  return new DOMParser().parseFromString(policy.createHTML(text), "text/html");
}

function busy(is) {
  one("#busy")?.remove();
  if (is) {
    const bar = document.createElement("div");
    bar.id = "busy";
    document.body.append(bar);
  }
}

async function fetched(address, options = {}) {
  const response = await fetch(address, { credentials: "same-origin", ...options });
  const text = await response.text();
  const type = response.headers.get("Content-Type") || "";
  if (response.status === 401 || !type.startsWith("text/html")) {
    location.assign(address);
    throw new DOMException("signed out", "AbortError");
  }
  return { url: response.url, text };
}

async function page(address, options = {}) {
  const { url, text } = await fetched(address, options);
  return { url, document: parsed(text) };
}

// The row that somebody was at last: a click on a count or a chip takes the focus from it.
let left = "";
document.addEventListener("focusin", (event) => {
  left = event.target.closest("tr.study")?.id || left;
  rememberSoon();
});

// One page takes the place of another; the newest question wins.
async function go(address, { push = true, kept = {}, focus = "box", options = {}, state = {} } = {}) {
  running?.abort();
  stopReading();
  hidePreview();
  const mine = (running = new AbortController());
  const late = setTimeout(() => { busy(true); say("Searching."); }, 2000);
  if (push) remember();
  try {
    const found = await page(address, { ...options, signal: mine.signal });
    if (push) history.pushState(kept, "", found.url);
    document.title = found.document.title;
    const box = one("#q");
    const was = box && document.activeElement === box;
    const search = one(".search"), next = one(".search", found.document);
    if (search && next) search.replaceWith(document.adoptNode(next));
    one("main").replaceWith(document.adoptNode(one("main", found.document)));
    dress(document);
    say(outcome());
    settle(focus === "box" && was ? "box" : focus, state);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  } finally {
    clearTimeout(late);
    if (running === mine) { running = null; busy(false); }
  }
}

function outcome() {
  const failed = one(".failure h1, .nothing .big, .choices .big, .warning p + p");
  if (failed) return failed.textContent.trim();
  const narrowed = all("aside [aria-current] > span:first-child").map((each) => each.firstChild.textContent.trim());
  const count = (one(".count > span") || one(".count"))?.textContent.trim() || "";
  return narrowed.length ? `Narrowed to ${narrowed.join(", ")}: ${count}.` : count && `${count}.`;
}

function settle(focus, state) {
  if (state.top !== undefined) {
    if (state.heights) fromHeights(state.heights, state.row);
    scrollTo(0, state.top);
    const row = state.row && document.getElementById(state.row);
    const other = focus === "page" && !state.heights ? one("h1") : one("#q");
    (row ? one(".who", row) : other)?.focus({ preventScroll: true });
    return;
  }
  if (focus === "box") { one("#q")?.focus({ preventScroll: true }); return; }
  if (focus === "chip") { (one(".chips a") || one("#q"))?.focus(); return; }
  const rows = all("tr.study");
  if (rows.length === 1) one(".who", rows[0]).focus();
  else one("h1")?.focus({ preventScroll: true });
}

function remember() {
  const row = document.activeElement?.closest("tr.study")?.id || (document.getElementById(left) && left);
  history.replaceState({ ...history.state, top: scrollY, row, heights: asHeights(), ticks: [...ticks] }, "");
}

// What is written as late as pagehide may be lost.
let remembering = 0;
function rememberSoon() {
  clearTimeout(remembering);
  remembering = setTimeout(() => { if (!running) remember(); }, 200);
}

// The parts that need the script show themselves; a late count moves to its place.
function dress(within) {
  all("#copy-uids, #clear-ticks", within).forEach((each) => { each.hidden = false; });
  if ("showDirectoryPicker" in window) all("[data-folder]", within).forEach((each) => { each.hidden = false; });
  const late = one(".count[data-late]", within);
  if (late) {
    one("table.studies", within)?.setAttribute("aria-rowcount", late.dataset.late);
    late.removeAttribute("data-late");
    late.id = "count";
    one("#count", within)?.replaceWith(late);
    document.title = `${one("span", late).textContent} · dicomquest`;
  }
  all(".thumb-box img", within).forEach((each) => {
    each.addEventListener("error", () => each.classList.add("failed"), { once: true });
    if (each.complete && !each.naturalWidth && each.src) each.classList.add("failed");
  });
  all("tr.study", within).forEach(showTick);
  showTicks();
  const letters = one("#letters");
  if (letters) { letters.disabled = false; letters.checked = lettersOn(); }
  if (within === document) {
    allowed = AUTOMATIC;
    chunks().forEach(watchChunk);
    watchEnds();
  }
}
