document.addEventListener("click", (event) => {
  const target = event.target.closest?.("a, button");
  if (!target || event.defaultPrevented) return;
  if (target.matches("button")) {
    if (target.dataset.copy !== undefined) {
      const text = target.dataset.copy;
      copy(target, text.startsWith("/") && !target.hasAttribute("data-warns") ? new URL(text, location).href : text);
    } else if (target.dataset.copyOf) {
      copy(target, all("tr", one(target.dataset.copyOf)).map((row) => [...row.cells].map((cell) => cell.textContent).join("\t")).join("\n"));
    } else if (target.id === "copy-uids") copy(target, [...ticks].join("\n"));
    else if (target.id === "clear-ticks") {
      all("tr.study .tick input:checked").forEach((each) => { each.checked = false; });
      ticks.clear();
      showTicks();
      say("None selected.");
    } else if (target.id === "go-on") { allowed = Infinity; comeNext(); }
    else if (target.id === "theme") turnTheme();
    else if (target.dataset.folder) saveFolder(target).catch((error) => { if (error.name !== "AbortError") say("The files could not be saved."); });
    return;
  }
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  if (target.matches(".opener")) { event.preventDefault(); toggle(target); return; }
  if (target.matches("[data-back]") && (history.state?.from === "rows" || target.dataset.back === "list")) { event.preventDefault(); history.back(); return; }
  const url = new URL(target.href, location);
  if (target.matches(".who")) { event.preventDefault(); openPage(target); return; }
  if (url.origin !== location.origin || url.pathname !== "/" || target.hasAttribute("download")) return;
  if (url.hash && url.search === location.search) return;
  event.preventDefault();
  if (target.id === "next") { comeNext({ asked: true }); return; }
  if (target.id === "last") { toEnd(); return; }
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
  const isOurs = location.pathname === "/" || location.pathname.startsWith("/studies/");
  if (isOurs && !location.hash) go(location.href, { push: false, focus: "page", state: event.state || {} });
});
addEventListener("pagehide", remember);
addEventListener("scroll", rememberSoon, { passive: true });
