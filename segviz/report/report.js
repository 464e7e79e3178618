// Curves that answer the mouse: a rule at the nearest point, the values there, and a legend that hides and shows.
for (const figure of document.querySelectorAll(".chart")) {
  const svg = figure.querySelector("svg");
  const rule = figure.querySelector(".pointer");
  const output = figure.querySelector("output");
  const buttons = [...figure.querySelectorAll("button")];
  const { x: axis, percent, places } = JSON.parse(figure.querySelector("script").textContent);
  const shown = (number) => buttons[number].getAttribute("aria-pressed") === "true";
  const told = (value) => (percent ? `${(100 * value).toFixed(1)} %` : value.toPrecision(4));

  for (const [number, button] of buttons.entries()) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!shown(number)));
      svg.querySelector(`g[data-curve="${number}"]`).style.display = shown(number) ? "" : "none";
    });
  }

  const hide = () => {
    rule.setAttribute("visibility", "hidden");
    output.textContent = "";
  };

  svg.addEventListener("pointermove", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    const nearest = (points) =>
      points.reduce((best, one) => (one[1] !== null && (!best || Math.abs(one[2] - at) < Math.abs(best[2] - at)) ? one : best), null);
    const middle = nearest(places.filter((_, number) => shown(number)).flat());
    if (!middle) return hide();
    for (const end of ["x1", "x2"]) rule.setAttribute(end, middle[2]);
    rule.setAttribute("visibility", "visible");
    const values = places.flatMap((points, number) => {
      const found = shown(number) && points.find((one) => one[0] === middle[0] && one[1] !== null);
      return found ? [`${buttons[number].textContent}: ${told(found[1])}`] : [];
    });
    output.textContent = `${axis} ${+middle[0].toPrecision(4)}    ${values.join("    ")}`;
  });
  svg.addEventListener("pointerleave", hide);
}
