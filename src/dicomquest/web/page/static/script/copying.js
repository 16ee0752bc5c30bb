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
