// Whether the visitor has just followed a link within the app. What a component sends then still names the page that is being left:
// Streamlit takes it after the other page has been drawn, and wipes that off the screen. This text stands in front of a component's own.

globalThis.segvizLeaving ??= (() => {
  const HOLD = 5000; // ms
  let left = -Infinity;
  const leave = () => (left = performance.now());
  addEventListener(
    "click",
    (event) => {
      const link = event.composedPath().find(({ localName }) => localName === "a");
      if (link?.origin === location.origin && !link.target) leave();
    },
    true,
  );
  addEventListener("popstate", leave);
  return () => performance.now() - left < HOLD;
})();
