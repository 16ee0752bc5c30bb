// Rows that follow. A table body is a chunk of the list; those far from the view leave a gap of
// their height and come again from their address, so that a long list stays a small document.
const AUTOMATIC = 1000, MOST_ROWS = 200;
const NEAR = "1200px 0px";
// Rows that are laid out in one frame: the page answers keys and wheel between two.
const SLICE = 50;
let allowed = AUTOMATIC, fetching = false;

const table = () => one("table.studies");
const chunks = () => all("table.studies > tbody");
const rowsOf = (chunk) => all("tr.study", chunk);

const sentinel = new IntersectionObserver((entries) => {
  if (entries.some((each) => each.isIntersecting)) comeNext();
}, { rootMargin: NEAR });
const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    target.toggleAttribute("data-near", isIntersecting);
    if (isIntersecting && target.hasAttribute("data-gap")) refill(target);
  }
}, { rootMargin: NEAR });

// The text of the next chunk, asked for while the one before is laid out.
let ahead = { address: "", text: null };

// Rows of a narrow window lack the columns that only a wide one shows.
const wide = matchMedia("(min-width: 1600px)");
async function asPart(address) {
  const isWide = wide.matches;
  const part = await fetched(`${address}&part=rows${isWide ? "&wide" : ""}`);
  // The window may have changed while the server answered.
  return isWide === wide.matches ? part : asPart(address);
}

function textOf(address) {
  const text = ahead.address === address ? ahead.text : asPart(address);
  ahead = { address: "", text: null };
  return text;
}

function askAhead(address) {
  const text = asPart(address);
  // Whoever waits for it is told of its failure.
  text.catch(() => {});
  ahead = { address, text };
}

async function chunkOf(address) {
  const { text } = await textOf(address);
  // A document of its own for each chunk would be most of the tab's garbage.
  const made = document.createElement("template");
  made.innerHTML = policy.createHTML(text);
  const chunk = document.adoptNode(one("tbody", made.content));
  chunk.dataset.href = address;
  if (ticks.size) rowsOf(chunk).forEach(showTick);
  showArrived(chunk.dataset);
  return chunk;
}

// After the layout and painting of the next frame, not before.
const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

async function appendSlowly(chunk) {
  const rest = rowsOf(chunk).slice(SLICE);
  rest.forEach((row) => row.remove());
  table().append(chunk);
  while (rest.length) {
    await painted();
    // A change of the window's width has left a gap, which comes again whole.
    if (chunk.hasAttribute("data-gap")) return;
    chunk.append(...rest.splice(0, SLICE));
  }
}

// The list stands as of its search: what arrived since is told, and no row moves.
function showArrived({ arrived, first }) {
  if (!arrived) return;
  let notice = one("#arrived");
  if (!notice) {
    notice = document.createElement("p");
    notice.id = "arrived";
    notice.className = "notice arrived";
    one(".list").append(notice);
  }
  if (notice.dataset.words === arrived) return;
  notice.dataset.words = arrived;
  const link = document.createElement("a");
  link.href = first;
  link.textContent = "Show";
  notice.replaceChildren(`${arrived} `, link);
  say(arrived);
}

function showTick(row) {
  one(".tick input", row).checked = ticks.has(row.dataset.uid);
}

async function comeNext({ asked = false } = {}) {
  const next = one("#next");
  if (!next || fetching || !(asked || allowed > 0)) return;
  await coming(async () => {
    const chunk = await chunkOf(next.href);
    allowed -= rowsOf(chunk).length;
    if (allowed > 0 && chunk.dataset.next) askAhead(new URL(chunk.dataset.next, location).href);
    await appendSlowly(chunk);
    watchChunk(chunk);
    thin();
    watchEnds();
  });
}

async function comePrevious() {
  const first = chunks()[0];
  if (!first?.dataset.previous || fetching) return;
  await coming(async () => {
    const chunk = await chunkOf(first.dataset.previous);
    const before = document.documentElement.scrollHeight;
    first.before(chunk);
    scrollBy(0, document.documentElement.scrollHeight - before);
    watchChunk(chunk);
    thin();
    watchEnds();
  });
}

async function coming(work) {
  fetching = true;
  try {
    await work();
  } catch (error) {
    if (error.name !== "AbortError") say("The next studies did not come. Follow the link for them.");
  } finally {
    fetching = false;
  }
  // What came may be shorter than the view.
  sentinel.disconnect();
  upper.disconnect();
  watchEnds();
}

function watchChunk(chunk) {
  // Until the observer tells otherwise: what just came must not leave at once.
  if (!chunk.hasAttribute("data-gap")) chunk.toggleAttribute("data-near", true);
  near.observe(chunk);
}

const upper = new IntersectionObserver((entries) => {
  if (entries.some((each) => each.isIntersecting)) comePrevious();
}, { rootMargin: NEAR });

// The links at the end are those of the last chunk.
function watchEnds() {
  const more = one("#more"), last = chunks().at(-1);
  if (!more || !last) return;
  const next = last.dataset.next;
  more.hidden = !next;
  if (last.dataset.cut && !one("#cut")) {
    const words = document.createElement("p");
    words.id = "cut";
    words.className = "notice";
    words.textContent = last.dataset.cut;
    more.before(words);
  }
  if (next) {
    one("#next").href = next;
    if (one("#last")) one("#last").href = last.dataset.last;
    one("#go-on").hidden = allowed > 0;
    if (allowed > 0) sentinel.observe(more);
  }
  if (chunks()[0].dataset.previous) upper.observe(one("caption", table()));
}

// Chunks that are out of the view become gaps, but for the first one, and what somebody works with.
function thin() {
  let many = all("table.studies tr.study").length - MOST_ROWS;
  const focused = document.activeElement?.closest("tbody");
  for (const chunk of chunks()) {
    if (many <= 0) return;
    const isKept = chunk.hasAttribute("data-near") || chunk.hasAttribute("data-gap") ||
      !chunk.dataset.href || chunk === focused || one("tr.opened", chunk);
    if (isKept) continue;
    many -= rowsOf(chunk).length;
    leave(chunk, chunk.getBoundingClientRect().height);
  }
}

function leave(chunk, height) {
  const row = document.createElement("tr"), cell = document.createElement("td");
  row.className = "gap";
  cell.colSpan = COLUMNS;
  cell.style.height = `${height}px`;
  row.setAttribute("aria-hidden", "true");
  row.append(cell);
  chunk.replaceChildren(row);
  chunk.toggleAttribute("data-gap", true);
}

let awaited = "";
async function refill(gap) {
  gap.removeAttribute("data-gap");
  try {
    const chunk = await chunkOf(gap.dataset.href);
    gap.replaceChildren(...chunk.childNodes);
    Object.assign(gap.dataset, chunk.dataset);
    if (awaited && one(`[id="${awaited}"]`, gap)) {
      one(".who", document.getElementById(awaited)).focus({ preventScroll: true });
      awaited = "";
    }
    thin();
    watchEnds();
  } catch (error) {
    gap.toggleAttribute("data-gap", true);
    if (error.name !== "AbortError") say("The studies did not come. Reload the page.");
  }
}

wide.addEventListener("change", () => {
  ahead = { address: "", text: null };
  for (const chunk of chunks()) {
    if (!chunk.dataset.href || chunk.hasAttribute("data-gap") || one("tr.opened", chunk)) continue;
    leave(chunk, chunk.getBoundingClientRect().height);
    if (chunk.hasAttribute("data-near")) refill(chunk);
  }
});

// A list that one comes back to: gaps of the heights that its chunks had.
function asHeights() {
  return chunks().slice(1).map((each) => [each.dataset.href, each.getBoundingClientRect().height]);
}

function fromHeights(heights, row) {
  if (!table() || chunks().length > 1) return;
  awaited = row && !document.getElementById(row) ? row : "";
  for (const [href, height] of heights) {
    const gap = document.createElement("tbody");
    gap.dataset.href = href;
    leave(gap, height);
    table().append(gap);
    watchChunk(gap);
  }
}

// The ends of the list, one request each.
async function toEnd() {
  const last = one("#more:not([hidden]) #last");
  if (!last || fetching) return false;
  await coming(async () => {
    const chunk = await chunkOf(last.href);
    chunks().forEach((each) => { near.unobserve(each); each.remove(); });
    table().append(chunk);
    watchChunk(chunk);
  });
  scrollTo(0, document.documentElement.scrollHeight);
  rowsOf(chunks().at(-1)).at(-1)?.querySelector(".who").focus({ preventScroll: true });
  return true;
}

function toStart() {
  if (!chunks()[0]?.dataset.previous) return false;
  go(one("#first")?.href || location.href, { push: false, focus: "page", state: { top: 0 } });
  return true;
}
