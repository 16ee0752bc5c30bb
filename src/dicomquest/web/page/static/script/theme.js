// Dark and light.
const dark = matchMedia("(prefers-color-scheme: dark)");
function theme() {
  try { return localStorage.getItem(`${STORE}theme`) || ""; } catch { return ""; }
}
function showTheme() {
  const chosen = theme();
  if (chosen) document.documentElement.dataset.theme = chosen;
  const is = chosen ? chosen === "dark" : dark.matches;
  const button = one("#theme");
  if (button) { button.textContent = is ? "Light" : "Dark"; button.setAttribute("aria-label", `Change to ${is ? "light" : "dark"} colours`); }
}
function turnTheme() {
  const is = theme() ? theme() === "dark" : dark.matches;
  try { localStorage.setItem(`${STORE}theme`, is ? "light" : "dark"); } catch { document.documentElement.dataset.theme = is ? "light" : "dark"; }
  showTheme();
}
