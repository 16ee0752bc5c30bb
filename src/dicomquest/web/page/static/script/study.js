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
    cell.colSpan = COLUMNS;
    cell.setAttribute("role", "cell");
    cell.append(...[...found.document.body.childNodes].map((each) => document.adoptNode(each)));
    line.append(cell);
    if (opener.getAttribute("aria-expanded") === "true") row.after(line);
    dress(line);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(`/studies/${row.dataset.uid}`);
  }
}
