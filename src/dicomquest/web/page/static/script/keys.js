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

// The form asks before it opens studies of several patients together.
function openViewer(uid) {
  if (ticks.size) one("#picked").requestSubmit(one('#picked [value="ohif"]'));
  else location.assign(`/ohif/viewer?StudyInstanceUIDs=${uid}`);
}

document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    const wasReading = readAhead !== null;
    stopReading();
    if (running) { running.abort(); say("Stopped."); }
    else if (!hidePreview() && !wasReading && at.matches("#q")) at.blur();
    // A field of this type empties itself otherwise.
    if (at.matches("#q")) event.preventDefault();
    return;
  }
  if (at.matches("input:not([type=checkbox]), textarea, select")) {
    if (event.key === "ArrowDown" && at.matches("#q")) { const row = one("tr.study .who"); if (row) { event.preventDefault(); row.focus(); } }
    return;
  }
  if (at.matches(".opener") && event.key === " ") { event.preventDefault(); toggle(at); return; }
  if (event.key === "/" && one("#q")) { event.preventDefault(); one("#q").focus(); one("#q").select(); return; }
  if (lettersOn() && (event.key === "n" || event.key === "p") && location.pathname.startsWith("/studies/")) {
    event.preventDefault();
    turnPage(event.key === "n" ? 1 : -1);
    return;
  }
  if (event.key === "?" && lettersOn()) { location.assign("/keys"); return; }
  if (event.key === "End" && one("#more:not([hidden])")) { event.preventDefault(); toEnd(); return; }
  if (event.key === "Home" && toStart()) { event.preventDefault(); return; }
  const row = at.closest("tr.study");
  const viewer = one('[data-key="o"]', at.closest("tr.opened") || one("main > .study-detail") || document.createElement("p"));
  if (!row && viewer && event.key === "o" && lettersOn()) { viewer.click(); return; }
  if (!row && (event.key === "ArrowDown" || event.key === "ArrowUp") && (at === document.body || at.matches("h1"))) {
    const rows = all("tr.study");
    // The first that is in view: the page may have been scrolled.
    const inView = rows.find((each) => each.getBoundingClientRect().bottom > 0) || rows[0];
    if (!inView) return;
    event.preventDefault();
    one(".who", inView).focus();
    inView.scrollIntoView({ block: "nearest" });
    return;
  }
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
  else if (letters && key === "o" && one('#picked [value="ohif"]')) openViewer(row.dataset.uid);
  else if (letters && key === "o") say("This server has no OHIF.");
  else if (letters && key === "c") navigator.clipboard.writeText([...(ticks.size ? ticks : [row.dataset.uid])].join("\n")).then(() => say("Copied."));
  else return;
  event.preventDefault();
});
