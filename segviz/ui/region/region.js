// The region editor's behaviour. Streamlit calls the default function at the bottom again with each data update; what must outlive an
// update (shapes, tool, a drag under way) lives in one Editor per root element.
//
// A shape is a list of corners [x, y] in per cent of the picture's width and height, with one decimal.

const MAX_CORNERS = 40;
const MIN_SIDE = 4; // of a shape's bounding box, CSS pixels: anything smaller is a click

const TEMPLATE = `
  <div class="toolbar">
    <div class="group" role="group" aria-label="Tool">
      <button type="button" data-tool="lasso">Lasso</button>
      <button type="button" data-tool="rectangle">Rectangle</button>
    </div>
    <div class="group" role="group" aria-label="Shapes">
      <button type="button" data-action="undo">Undo</button>
      <button type="button" data-action="clear">Clear</button>
    </div>
  </div>
  <div class="hint">Drag on the picture to draw; with Shift, a rectangle. Several shapes add up.</div>
  <div class="stage" tabindex="-1" data-testid="segviz-region-stage">
    <img alt="The picture to draw on" draggable="false">
    <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
      <mask id="outside"><rect width="100" height="100" fill="#fff"/><g class="holes"></g></mask>
      <rect class="dim" width="100" height="100" mask="url(#outside)"/>
      <g class="tint"></g>
    </svg>
  </div>`;

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));
const toTenth = (value) => Math.round(value * 10) / 10;

const textOf = (shapes) => shapes.map((shape) => shape.map((corner) => corner.join(",")).join(" ")).join("|");

/** The shapes that a text holds; what is no shape is left out. */
function shapesOf(text) {
  const shapes = text.split("|").map((part) => part.trim().split(/\s+/).map((corner) => corner.split(",").map(Number)));
  return shapes.filter((shape) => shape.length >= 3 && shape.every((corner) => corner.length === 2 && corner.every(Number.isFinite)));
}

/** The distance of a point from the line between two others, all [x, y]. */
function distanceFrom([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const along = clamp(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}

/** Ramer-Douglas-Peucker: those points of a line that describe it to within `tolerance`. */
function simplify(points, tolerance) {
  const [first, last] = [points[0], points[points.length - 1]];
  let [farthest, distance] = [0, 0];
  points.forEach((point, i) => {
    const here = distanceFrom(point, first, last);
    if (here > distance) [farthest, distance] = [i, here];
  });
  if (distance <= tolerance) return [first, last];
  return [...simplify(points.slice(0, farthest + 1), tolerance).slice(0, -1), ...simplify(points.slice(farthest), tolerance)];
}

/** A line with as few corners as a shape may have; it ends where it began. */
function thinned(points) {
  let tolerance = 0.7;
  let found = points;
  do {
    found = simplify(points, tolerance);
    tolerance *= 1.3;
  } while (found.length > MAX_CORNERS);
  return found;
}

const rectangle = ([x0, y0], [x1, y1]) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];

class Editor {
  shapes = [];
  given = null; // the text of the newest update
  sent = new Set(); // texts sent since shapes and updates last agreed
  tool = "lasso";
  calls = 0; // of the default function below
  drag = null; // { pointer, rectangle, points }, points of the stage in CSS pixels
  ended = new AbortController(); // removes the listeners

  constructor(root) {
    root.innerHTML = TEMPLATE;
    const one = (selector) => root.querySelector(selector);
    this.root = root;
    this.stage = one(".stage");
    this.picture = one("img");
    this.holes = one(".holes");
    this.tint = one(".tint");
    this.tools = root.querySelectorAll("[data-tool]");
    this.actions = root.querySelectorAll("[data-action]");
    this.listen();
    // Streamlit fades what a running script has not redrawn yet; the picture must keep its colours meanwhile.
    root.getRootNode().host?.closest(".stElementContainer")?.style.setProperty("opacity", "1", "important");
  }

  listen() {
    const on = (target, type, action) => target.addEventListener(type, action.bind(this), { signal: this.ended.signal });
    on(this.stage, "pointerdown", this.onPress);
    on(this.stage, "pointermove", this.onMove);
    on(this.stage, "pointerup", this.onRelease);
    on(this.stage, "lostpointercapture", this.onLost);
    on(this.picture, "load", this.onPicture);
    for (const button of this.tools) on(button, "click", () => this.choose(button.dataset.tool));
    for (const button of this.actions) on(button, "click", () => this.draw(button.dataset.action === "undo" ? this.shapes.slice(0, -1) : []));
  }

  end() {
    this.ended.abort();
    editors.delete(this.root);
  }

  /** Takes over shapes that come from elsewhere, such as a link; an echo of what was drawn here changes nothing. */
  update(data, send) {
    this.send = send;
    this.height = data.height;
    if (this.picture.src !== data.src) this.picture.src = data.src;
    if (data.polygons !== this.given && !this.sent.has(data.polygons)) this.shapes = shapesOf(data.polygons);
    this.given = data.polygons;
    if (this.given === textOf(this.shapes)) this.sent.clear();
    this.render();
  }

  onPicture() {
    this.stage.style.maxWidth = `${(this.height * this.picture.naturalWidth) / this.picture.naturalHeight}px`;
    this.root.toggleAttribute("data-ready", true);
  }

  choose(tool) {
    this.tool = tool;
    this.render();
  }

  /** Puts other shapes in place and tells the page. */
  draw(shapes) {
    this.shapes = shapes;
    this.sent.add(textOf(shapes));
    this.send(textOf(shapes));
    this.render();
  }

  toStage(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [clamp(event.clientX - left, 0, width), clamp(event.clientY - top, 0, height)];
  }

  onPress(event) {
    if (event.button !== 0 || this.drag) return;
    this.stage.setPointerCapture(event.pointerId);
    this.drag = { pointer: event.pointerId, rectangle: this.tool === "rectangle" || event.shiftKey, points: [this.toStage(event)] };
  }

  onMove(event) {
    if (event.pointerId !== this.drag?.pointer) return;
    this.drag.points.push(this.toStage(event));
    this.render();
  }

  onRelease(event) {
    if (event.pointerId !== this.drag?.pointer) return;
    this.drag.points.push(this.toStage(event));
    const shape = this.dragged();
    this.drag = null;
    if (shape) this.draw([...this.shapes, shape]);
    else this.render();
  }

  /** A drag that the browser took away draws nothing. */
  onLost(event) {
    if (event.pointerId !== this.drag?.pointer) return;
    this.drag = null;
    this.render();
  }

  /** The shape of the drag so far; null while it is none. */
  dragged() {
    const { rectangle: straight, points } = this.drag;
    const sides = [0, 1].map((axis) => points.map((point) => point[axis])).map((values) => Math.max(...values) - Math.min(...values));
    const line = straight ? rectangle(points[0], points[points.length - 1]) : thinned(points);
    if (Math.min(...sides) < MIN_SIDE || line.length < 3) return null;
    const { width, height } = this.stage.getBoundingClientRect();
    return line.map(([x, y]) => [toTenth((100 * x) / width), toTenth((100 * y) / height)]);
  }

  render() {
    const draft = this.drag && this.dragged();
    const shapes = draft ? [...this.shapes, draft] : this.shapes;
    const paths = shapes.map((shape) => `<path d="M${shape.join("L")}Z"/>`).join("");
    this.holes.innerHTML = paths;
    this.tint.innerHTML = paths;
    this.root.toggleAttribute("data-drawn", shapes.length > 0);
    this.root.dataset.shapes = this.shapes.length;
    for (const button of this.tools) button.setAttribute("aria-pressed", button.dataset.tool === this.tool);
    for (const button of this.actions) button.disabled = this.shapes.length === 0;
  }
}

const editors = new WeakMap(); // root element -> its Editor

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".region");
  if (!editors.has(root)) editors.set(root, new Editor(root));
  const editor = editors.get(root);
  editor.update(data, (text) => setTriggerValue("polygons", text));
  const call = ++editor.calls;
  return () => editor.calls === call && editor.end(); // a late clean-up of an earlier call must not end the editor
}
