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

// A study's own page knows the list it was opened from: n and p go on in it.
function openPage(link) {
  const uids = all("tr.study").map((row) => row.dataset.uid);
  go(link.href, { kept: { from: "rows", uids }, focus: "page", state: { top: 0 } });
}

function turnPage(by) {
  const { uids = [] } = history.state || {};
  const at = uids.indexOf(location.pathname.split("/")[2]);
  const uid = at < 0 ? undefined : uids[at + by];
  if (!uid) { say(by > 0 ? "This is the last of the studies that were shown." : "This is the first study."); return; }
  history.replaceState(history.state, "", `/studies/${uid}`);
  go(location.href, { push: false, focus: "page", state: { top: 0 } });
}
