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
