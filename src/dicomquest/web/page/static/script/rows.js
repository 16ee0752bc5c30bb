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
