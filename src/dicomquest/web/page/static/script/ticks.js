// Ticks.
function showTicks() {
  const words = one("#picked-words");
  rememberSoon();
  document.body.toggleAttribute("data-ticks", ticks.size > 0);
  if (!words) return "";
  const there = all("tr.study").filter((row) => ticks.has(row.dataset.uid)).length;
  const out = ticks.size - there;
  words.textContent = `${ticks.size} selected${out ? ` (${out} not in view)` : ""}`;
  const form = one("#picked");
  all("input[type=hidden]", form).forEach((each) => each.remove());
  for (const uid of ticks) {
    if (document.getElementById(`s-${uid}`)) continue;
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "uid", value: uid });
    form.append(field);
  }
  return words.textContent;
}

function tick(row, is) {
  one(".tick input", row).checked = is;
  if (is) ticks.add(row.dataset.uid);
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
