// The page works without this script; it adds keys, rows that follow, and searches without a reload.
"use strict";

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("rows", { createHTML: (text) => text })
  : { createHTML: (text) => text };
const live = document.getElementById("live");
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const ticks = new Map();
const MOST_ROWS = 1000;
let running = null;
let wide = 0;

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

async function page(address, options = {}) {
  const response = await fetch(address, { credentials: "same-origin", ...options });
  const text = await response.text();
  const type = response.headers.get("Content-Type") || "";
  if (response.status === 401 || !type.startsWith("text/html")) {
    location.assign(address);
    throw new DOMException("signed out", "AbortError");
  }
  return { url: response.url, document: parsed(text) };
}

// One page takes the place of another; the newest question wins.
async function go(address, { push = true, focus = "box", options = {}, state = {} } = {}) {
  running?.abort();
  const mine = (running = new AbortController());
  const late = setTimeout(() => { busy(true); say("Searching."); }, 2000);
  if (push) remember();
  try {
    const found = await page(address, { ...options, signal: mine.signal });
    if (push) history.pushState({}, "", found.url);
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
  const count = one(".count")?.textContent.trim() || "";
  return narrowed.length ? `Narrowed to ${narrowed.join(", ")}: ${count}.` : count && `${count}.`;
}

function settle(focus, state) {
  if (state.top !== undefined) {
    scrollTo(0, state.top);
    const row = state.row && document.getElementById(state.row);
    (row ? one(".who", row) : one("#q"))?.focus({ preventScroll: true });
    return;
  }
  if (focus === "box") { one("#q")?.focus({ preventScroll: true }); return; }
  if (focus === "chip") { (one(".chips a") || one("#q"))?.focus(); return; }
  const rows = all("tr.study");
  if (rows.length === 1) one(".who", rows[0]).focus();
  else one("h1")?.focus({ preventScroll: true });
}

function remember() {
  const row = document.activeElement?.closest("tr.study");
  history.replaceState({ ...history.state, top: scrollY, row: row?.id }, "");
}

// The parts that need the script show themselves; a late count moves to its place.
function dress(within) {
  all("[data-copy], [data-copy-of], #copy-uids, #clear-ticks, #theme", within).forEach((each) => { each.hidden = false; });
  if ("showDirectoryPicker" in window) all("[data-folder]", within).forEach((each) => { each.hidden = false; });
  const late = one(".count[data-late]", within);
  if (late) {
    late.removeAttribute("data-late");
    one(".asked", within)?.append(late);
    document.title = `${late.textContent.trim()} · dicomquest`;
  }
  all(".thumb-box img", within).forEach((each) => {
    each.addEventListener("error", () => each.classList.add("failed"), { once: true });
    if (each.complete && !each.naturalWidth && each.src) each.classList.add("failed");
  });
  all("tr.study", within).forEach((row) => { one(".tick input", row).checked = ticks.has(row.dataset.uid); });
  showTicks();
  const letters = one("#letters");
  if (letters) { letters.disabled = false; letters.checked = lettersOn(); }
  const next = one("#next", within);
  if (next) watcher.observe(next);
}

// Rows that follow.
const watcher = new IntersectionObserver((entries) => {
  if (entries.some((each) => each.isIntersecting) && wide < MOST_ROWS) more();
}, { rootMargin: "600px" });
let fetching = false;

async function more() {
  const next = one("#next");
  if (!next || fetching) return;
  fetching = true;
  try {
    const found = await page(next.href);
    const rows = all("#rows > tr", found.document);
    wide = all("tr.study").length + rows.length;
    one("#rows").append(...rows.map((each) => document.adoptNode(each)));
    watcher.unobserve(next);
    const later = one("#next", found.document);
    if (later) next.replaceWith(document.adoptNode(later));
    else next.closest(".more").remove();
  } catch (error) {
    if (error.name !== "AbortError") say("The next studies did not come. Follow the link for them.");
  } finally {
    fetching = false;
  }
  const link = one("#next");
  if (link && wide < MOST_ROWS) watcher.observe(link);
  all("tr.study").forEach((row) => { one(".tick input", row).checked = ticks.has(row.dataset.uid); });
}

// Ticks.
function showTicks() {
  const words = one("#picked-words");
  document.body.toggleAttribute("data-ticks", ticks.size > 0);
  if (!words) return "";
  const there = all("tr.study").filter((row) => ticks.has(row.dataset.uid)).length;
  const out = ticks.size - there;
  words.textContent = `${ticks.size} selected${out ? ` (${out} not in view)` : ""}`;
  const form = one("#picked");
  all("input[type=hidden]", form).forEach((each) => each.remove());
  for (const uid of ticks.keys()) {
    if (document.getElementById(`s-${uid}`)) continue;
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "uid", value: uid });
    form.append(field);
  }
  return words.textContent;
}

function tick(row, is) {
  one(".tick input", row).checked = is;
  if (is) ticks.set(row.dataset.uid, row.dataset.patient);
  else ticks.delete(row.dataset.uid);
}

let lastTicked = null;
document.addEventListener("click", (event) => {
  const input = event.target.closest?.(".tick input");
  if (!input) return;
  const row = input.closest("tr");
  tick(row, input.checked);
  if (event.shiftKey && lastTicked?.isConnected) {
    const rows = all("tr.study");
    const [from, to] = [rows.indexOf(lastTicked), rows.indexOf(row)].sort((a, b) => a - b);
    rows.slice(from, to + 1).forEach((each) => tick(each, input.checked));
  }
  lastTicked = row;
  say(`${showTicks()}.`);
});

// Opened studies.
async function toggle(opener) {
  const row = opener.closest("tr");
  if (opener.getAttribute("aria-expanded") === "true") {
    opener.setAttribute("aria-expanded", "false");
    row.nextElementSibling?.matches(".opened") && row.nextElementSibling.remove();
    one(".who", row).focus();
    return;
  }
  opener.setAttribute("aria-expanded", "true");
  try {
    const found = await page(`/studies/${row.dataset.uid}?part=study`);
    const line = document.createElement("tr");
    line.className = "opened";
    line.setAttribute("role", "row");
    const cell = document.createElement("td");
    cell.colSpan = 10;
    cell.setAttribute("role", "cell");
    cell.append(...[...found.document.body.childNodes].map((each) => document.adoptNode(each)));
    line.append(cell);
    if (opener.getAttribute("aria-expanded") === "true") row.after(line);
    dress(line);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(`/studies/${row.dataset.uid}`);
  }
}

// Copying.
let hasWarned = false;
async function copy(button, text) {
  await navigator.clipboard.writeText(text);
  const warns = button.hasAttribute("data-warns") && !hasWarned;
  hasWarned ||= warns;
  say(warns ? "Copied. It holds what you asked, names too." : "Copied.");
  const before = button.textContent;
  button.textContent = warns ? "Copied: it holds names" : "Copied";
  setTimeout(() => { button.textContent = before; }, 2500);
}

async function saveFolder(button) {
  const folder = await window.showDirectoryPicker({ mode: "readwrite" });
  const list = await (await fetch(button.dataset.folder)).json();
  let done = 0;
  for (const each of list) {
    let into = folder;
    const parts = each.path.split("/");
    const name = parts.pop();
    for (const part of parts) into = await into.getDirectoryHandle(part, { create: true });
    const file = await (await into.getFileHandle(name, { create: true })).createWritable();
    await (await fetch(each.href)).body.pipeTo(file);
    done += 1;
    button.textContent = `${done} of ${list.length} saved`;
  }
  say(`${done} files saved.`);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("a, button");
  if (!target || event.defaultPrevented) return;
  if (target.matches("button")) {
    if (target.dataset.copy !== undefined) {
      const text = target.dataset.copy;
      copy(target, text.startsWith("/") && !target.hasAttribute("data-warns") ? new URL(text, location).href : text);
    } else if (target.dataset.copyOf) {
      copy(target, all("tr", one(target.dataset.copyOf)).map((row) => [...row.cells].map((cell) => cell.textContent).join("\t")).join("\n"));
    } else if (target.id === "copy-uids") copy(target, [...ticks.keys()].join("\n"));
    else if (target.id === "clear-ticks") {
      all("tr.study .tick input:checked").forEach((each) => { each.checked = false; });
      ticks.clear();
      showTicks();
      say("None selected.");
    } else if (target.id === "theme") turnTheme();
    else if (target.dataset.folder) saveFolder(target).catch((error) => { if (error.name !== "AbortError") say("The files could not be saved."); });
    else if (target.value === "ohif" && new Set(ticks.values()).size > 1 &&
      !confirm("The ticked studies are of more than one patient ID. Open them together?")) event.preventDefault();
    return;
  }
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  if (target.matches(".opener")) { event.preventDefault(); toggle(target); return; }
  if (target.matches("[data-back]") && history.state?.from === "rows") { event.preventDefault(); history.back(); return; }
  const url = new URL(target.href, location);
  if (url.origin !== location.origin || url.pathname !== "/" || target.hasAttribute("download")) return;
  if (url.hash && url.search === location.search) return;
  event.preventDefault();
  const focus = target.closest(".chips") ? "chip" : target.closest("aside") ? "page" : "page";
  go(url.href, { focus });
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches(".search form")) return;
  event.preventDefault();
  go(form.action, { options: { method: "POST", body: new URLSearchParams(new FormData(form)) } });
});

if ("scrollRestoration" in history) history.scrollRestoration = "manual";
addEventListener("popstate", (event) => {
  if (location.pathname === "/" && !location.hash) go(location.href, { push: false, focus: "page", state: event.state || {} });
});
addEventListener("pagehide", remember);

// Keys.
const STORE = "dicomquest.";
function lettersOn() {
  try { return localStorage.getItem(`${STORE}letters`) !== "off"; } catch { return true; }
}
document.addEventListener("change", (event) => {
  if (event.target.id !== "letters") return;
  try { localStorage.setItem(`${STORE}letters`, event.target.checked ? "on" : "off"); } catch { /* without storage they stay on */ }
});

function move(row, by, marks) {
  const rows = all("tr.study");
  const next = rows[rows.indexOf(row) + by];
  if (!next) return;
  if (marks) { tick(row, true); tick(next, true); say(`${showTicks()}.`); }
  one(".who", next).focus();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    if (running) { running.abort(); say("Stopped."); } else if (at.matches("#q")) at.blur();
    return;
  }
  if (at.matches("input:not([type=checkbox]), textarea, select")) {
    if (event.key === "ArrowDown" && at.matches("#q")) { const row = one("tr.study .who"); if (row) { event.preventDefault(); row.focus(); } }
    return;
  }
  if (at.matches(".opener") && event.key === " ") { event.preventDefault(); toggle(at); return; }
  if (event.key === "/" && one("#q")) { event.preventDefault(); one("#q").focus(); one("#q").select(); return; }
  if (event.key === "?" && lettersOn()) { location.assign("/keys"); return; }
  const row = at.closest("tr.study");
  if (!row) return;
  const opener = one(".opener", row);
  const isOpen = opener.getAttribute("aria-expanded") === "true";
  const key = event.key;
  const letters = lettersOn();
  if (key === "ArrowDown" || (letters && key === "j")) move(row, 1, event.shiftKey);
  else if (key === "ArrowUp" || (letters && key === "k")) move(row, -1, event.shiftKey);
  else if (key === "ArrowRight" && !isOpen) toggle(opener);
  else if (key === "ArrowLeft" && isOpen) toggle(opener);
  else if (letters && key === "x") { tick(row, !ticks.has(row.dataset.uid)); say(`${showTicks()}.`); }
  else if (letters && key === "o" && one('#picked [value="ohif"]')) location.assign(`/ohif/viewer?StudyInstanceUIDs=${ticks.size ? [...ticks.keys()].join(",") : row.dataset.uid}`);
  else if (letters && key === "c") navigator.clipboard.writeText([...(ticks.size ? ticks.keys() : [row.dataset.uid])].join("\n")).then(() => say("Copied."));
  else return;
  event.preventDefault();
});

// Dark and light.
const dark = matchMedia("(prefers-color-scheme: dark)");
function theme() {
  try { return localStorage.getItem(`${STORE}theme`) || ""; } catch { return ""; }
}
function showTheme() {
  const chosen = theme();
  if (chosen) document.documentElement.dataset.theme = chosen;
  const is = chosen ? chosen === "dark" : dark.matches;
  const button = one("#theme");
  if (button) { button.textContent = is ? "Light" : "Dark"; button.setAttribute("aria-label", `Change to ${is ? "light" : "dark"} colours`); }
}
function turnTheme() {
  const is = theme() ? theme() === "dark" : dark.matches;
  try { localStorage.setItem(`${STORE}theme`, is ? "light" : "dark"); } catch { document.documentElement.dataset.theme = is ? "light" : "dark"; }
  showTheme();
}

showTheme();
dress(document);
if (history.state?.top !== undefined && location.pathname === "/") settle("page", history.state);
else if (location.pathname === "/" && location.search && !location.hash) settle("page", {});

// A sign-in ends when nobody asks for long. The page says so a minute before, then shows nothing.
function watchSession(idle) {
  const address = "/stay-signed-in";
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("session") : null;
  let until = Date.now() + idle, told = Date.now(), dialog = null, asking = false;
  const early = Math.min(60000, idle / 2);
  const known = (seconds) => {
    until = Date.now() + seconds * 1000;
    if (seconds * 1000 > early) { dialog?.remove(); dialog = null; }
  };
  const leave = () => {
    document.body.replaceChildren();
    document.title = "dicomquest";
    location.replace("/sign-in?to=" + encodeURIComponent(location.pathname + location.search));
  };
  const ask = async (method) => {
    const response = await fetch(address, { method, credentials: "same-origin" });
    if (response.status === 401) { tabs?.postMessage("over"); leave(); return; }
    const seconds = Number(await response.text());
    known(seconds);
    tabs?.postMessage(seconds);
  };
  const stay = () => { told = Date.now(); ask("POST"); };
  const warn = () => {
    dialog = document.createElement("dialog");
    dialog.className = "idle";
    const words = document.createElement("p"), button = document.createElement("button");
    words.textContent = "You will be signed out in a minute.";
    button.className = "main";
    button.textContent = "Stay signed in";
    button.addEventListener("click", stay);
    dialog.append(words, button);
    document.body.append(dialog);
    dialog.showModal();
  };
  const check = async () => {
    const left = until - Date.now();
    if (asking || left > early || dialog && left > 0) return;
    asking = true;
    try {
      await ask("GET");
      if (!dialog && until - Date.now() <= early && document.body.children.length) warn();
    } finally {
      asking = false;
    }
  };
  tabs?.addEventListener("message", ({ data }) => (data === "over" ? leave() : known(data)));
  for (const kind of ["click", "keydown"]) {
    document.addEventListener(kind, () => { if (!dialog && Date.now() - told > early / 2) stay(); });
  }
  document.addEventListener("visibilitychange", check);
  addEventListener("pageshow", (event) => { if (event.persisted) { until = 0; check(); } });
  setInterval(check, 1000);
}

if (document.body.dataset.idle) watchSession(Number(document.body.dataset.idle) * 1000);
