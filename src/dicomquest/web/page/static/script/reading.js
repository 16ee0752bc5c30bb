// What the text in the box will ask, while one types: after a rest, one request at a time.
const REST = 250;
const READ_FORM = ".search form";
let resting = 0, readNumber = 0, readAhead = null;

function stopReading() {
  clearTimeout(resting);
  readAhead?.abort();
  readAhead = null;
  // An answer that is on its way has an older number now.
  readNumber += 1;
}

function hidePreview() {
  const is = one("#preview:not([hidden])");
  if (is) { is.hidden = true; is.replaceChildren(); }
  return Boolean(is);
}

async function read(form) {
  const mine = (readAhead = new AbortController());
  const body = new URLSearchParams(new FormData(form));
  body.set("number", readNumber);
  try {
    const options = { method: "POST", body, credentials: "same-origin", signal: mine.signal };
    const response = await fetch("/read", options);
    if (response.status === 401 && response.headers.has("Link")) { location.reload(); return; }
    const found = response.status === 200 && one("[data-number]", parsed(await response.text()));
    if (found && found.dataset.number !== String(readNumber)) return;
    const preview = one("#preview");
    if (!found) { hidePreview(); return; }
    preview.replaceChildren(document.adoptNode(found));
    preview.hidden = false;
  } catch (error) {
    if (error.name !== "AbortError") hidePreview();
  } finally {
    if (readAhead === mine) readAhead = null;
  }
}

function readLater(event) {
  const form = event.target.closest?.(READ_FORM);
  if (!form || event.isComposing) return;
  stopReading();
  const changed = all("input[type=hidden]", form).some((was) => {
    const field = form.elements[was.name.replace(/^was-/, "")];
    return field.value.trim() !== was.value.trim();
  });
  if (changed) resting = setTimeout(read, REST, form);
  else hidePreview();
}
document.addEventListener("input", readLater);
document.addEventListener("compositionend", readLater);
document.addEventListener("focusout", (event) => {
  const form = event.target.closest?.(READ_FORM);
  if (form && !form.contains(event.relatedTarget)) { stopReading(); hidePreview(); }
});
