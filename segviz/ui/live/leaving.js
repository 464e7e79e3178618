// Whether the visitor has just followed a link within the app. What a component sends then still names the page that is being left:
// Streamlit takes it after the other page has been drawn, and wipes that off the screen. This text stands in front of a component's own,
// which says `stayed` when it is drawn again.

globalThis.segvizLeaving ??= (() => {
  const HOLD = 60_000; // ms, for a link that led nowhere
  let left = -Infinity;
  const leave = () => (left = performance.now());
  addEventListener(
    "click",
    (event) => {
      const link = event.composedPath().find(({ localName }) => localName === "a");
      const here = link?.origin === location.origin && !link.target && !event.ctrlKey && !event.metaKey && !event.shiftKey;
      if (here) leave();
    },
    true,
  );
  addEventListener("popstate", leave);
  return { leaving: () => performance.now() - left < HOLD, stayed: () => (left = -Infinity) };
})();
