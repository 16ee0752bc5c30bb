// All parts are there: dress the page that came.
showTheme();
(history.state?.ticks || []).forEach((uid) => ticks.add(uid));
dress(document);
if (history.state?.top !== undefined && location.pathname === "/") settle("page", history.state);
else if (location.pathname === "/" && location.search && !location.hash) settle("page", {});
if (document.body.dataset.idle) watchSession(Number(document.body.dataset.idle) * 1000);
