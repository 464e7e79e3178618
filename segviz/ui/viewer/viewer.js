// The viewer's behaviour. Streamlit calls the default function at the bottom again with each data update; what must outlive an update
// (zoom, pan, divider, mode, hover) lives in one Viewer per root element.
//
// Three coordinate systems: stage and pane (CSS pixels from their upper-left corners) and picture (picture pixels). Both panes show the
// same part of the picture; in swipe mode they lie on top of each other and the right one is clipped at the divider.

const MAX_ZOOM = 32;
const GAP = 8; // between the panes, CSS pixels
const KEY_STEPS = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, Home: -1, End: 1 };

const TEMPLATE = `
  <div class="toolbar">
    <div class="group" role="group" aria-label="Layout">
      <button type="button" data-mode="swipe">Swipe</button>
      <button type="button" data-mode="side">Side by side</button>
    </div>
    <div class="group" role="group" aria-label="Zoom">
      <button type="button" data-factor="0.5" aria-label="Zoom out">−</button>
      <span class="zoom"></span>
      <button type="button" data-factor="2" aria-label="Zoom in">+</button>
      <button type="button" data-factor="0">Fit</button>
    </div>
  </div>
  <div class="stage">
    <div class="left pane"><canvas></canvas><div class="label"></div><div class="cross"></div></div>
    <div class="right pane"><canvas></canvas><div class="label"></div><div class="cross"></div></div>
    <div class="divider" data-testid="segviz-divider" role="slider" tabindex="0" aria-valuemin="0" aria-valuemax="100">
      <svg class="grip" viewBox="0 0 28 28"><path d="M11 10 7 14l4 4M17 10l4 4-4 4"/></svg>
    </div>
    <div class="readout" data-testid="segviz-readout">
      <header><span class="at"></span><span class="changed">changed</span></header>
      <span class="when">before</span><span class="swatch"></span><span class="what"></span>
      <span class="when">after</span><span class="swatch"></span><span class="what"></span>
    </div>
  </div>`;

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });

/** The exact pixels of a PNG given as a data URL. */
async function decode(url) {
  const response = await fetch(url);
  return createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
}

function paint(context, image) {
  Object.assign(context.canvas, { width: image.width, height: image.height });
  if (image instanceof ImageData) context.putImageData(image, 0, 0);
  else context.drawImage(image, 0, 0);
}

/** The panes' common size, the offset of the right pane in the stage and the scale that fits the picture into a pane. */
function arrange(mode, stage, picture) {
  const layOut = (layout, width, height) => {
    const fit = Math.min(width / picture.width, height / picture.height);
    return { layout, width, height, fit, dx: stage.width - width, dy: stage.height - height };
  };
  if (mode === "swipe") return layOut("swipe", stage.width, stage.height);
  const row = layOut("row", Math.floor((stage.width - GAP) / 2), stage.height);
  const column = layOut("column", stage.width, Math.floor((stage.height - GAP) / 2));
  return column.fit > row.fit ? column : row;
}

/**
 * Along one axis, where the picture starts in a pane, on whole device pixels. Its ends may come no further into the pane than they are
 * when it is fitted: a fitted picture is centred, and zooming in never moves the point under the cursor.
 */
function startOf(centre, length, fitted, pane) {
  const margin = (pane - fitted) / 2;
  const start = clamp(pane / 2 - centre, pane - length - margin, margin);
  return Math.round(start * devicePixelRatio) / devicePixelRatio;
}

class Viewer {
  calls = 0; // of the function at the bottom
  watching = null; // the live run on show, if any: { path, stream, end }
  drawing = false; // whether a drawing of the live run is under way,
  again = false; // and whether there are newer news by now
  latest = 0; // number of the newest update
  shown = 0; // number of the update on show
  decodes = []; // of the newest update: { src, bitmap (a promise) } of its four pictures
  picture = null; // { width, height } of the pictures on show
  mode = "swipe";
  split = 0.5; // the divider, as a share of the visible picture's width
  zoom = 1; // 1 is fitted
  centre = { x: 0, y: 0 }; // the picture point in the middle of a pane
  pressed = new Map(); // pointer id -> stage point
  hover = null; // stage point of a pointer that drags nothing
  still = null; // stage point of a press on the picture that may become a click
  drag = "pan"; // or "divider": what a single pressed pointer moves
  ended = new AbortController(); // removes the listeners

  constructor(root) {
    root.innerHTML = TEMPLATE;
    const one = (selector) => root.querySelector(selector);
    this.root = root;
    this.stage = one(".stage");
    this.divider = one(".divider");
    this.readout = one(".readout");
    this.zoomText = one(".zoom");
    this.modeButtons = root.querySelectorAll("[data-mode]");
    this.panes = [one(".left.pane"), one(".right.pane")];
    this.pictures = this.panes.map((pane) => pane.querySelector("canvas").getContext("2d"));
    this.maps = [0, 1].map(() => document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
    this.resizing = new ResizeObserver(() => this.render());
    this.resizing.observe(this.stage);
    this.listen();
    // Streamlit fades what a running script has not redrawn yet; pictures must keep their colours meanwhile.
    root.getRootNode().host?.closest(".stElementContainer")?.style.setProperty("opacity", "1", "important");
  }

  listen() {
    const on = (target, type, action, options = {}) =>
      target.addEventListener(type, action.bind(this), { signal: this.ended.signal, ...options });
    on(this.stage, "wheel", this.onWheel, { passive: false });
    on(this.stage, "pointerdown", this.onPress);
    on(this.stage, "pointermove", this.onMove);
    on(this.stage, "pointerup", this.onRelease);
    on(this.stage, "lostpointercapture", (event) => this.pressed.delete(event.pointerId));
    on(this.stage, "pointerleave", () => this.showHover(null));
    on(this.stage, "dblclick", () => this.zoomBy(0));
    on(this.divider, "keydown", this.onKey);
    for (const button of this.modeButtons) on(button, "click", () => this.setMode(button.dataset.mode));
    for (const button of this.root.querySelectorAll("[data-factor]")) on(button, "click", () => this.zoomBy(Number(button.dataset.factor)));
  }

  end() {
    this.leave();
    this.ended.abort();
    this.resizing.disconnect();
    viewers.delete(this.root);
  }

  /** Decodes the new pictures, then swaps them in at once; a decode that a newer one has overtaken is dropped. */
  async update(data) {
    this.stage.style.height = `${data.height}px`;
    if (data.live) return this.follow(data);
    this.leave();
    const number = ++this.latest;
    const sources = [data.left.src, data.right.src, data.before, data.after];
    this.decodes = sources.map((src, i) => (this.decodes[i]?.src === src ? this.decodes[i] : { src, bitmap: decode(src) }));
    const bitmaps = await Promise.all(this.decodes.map(({ bitmap }) => bitmap));
    if (number < this.shown) return;
    this.show(number, data, bitmaps);
  }

  /** Shows the left and right picture and the maps for the read-out. */
  show(number, data, images) {
    this.shown = number;
    this.data = data;
    [...this.pictures, ...this.maps].forEach((context, i) => paint(context, images[i]));
    this.nameLayers(data.left.name, data.right.name);
    const { width, height } = images[0];
    if (width !== this.picture?.width || height !== this.picture.height) {
      this.picture = { width, height };
      this.zoom = 1;
    }
    this.root.dataset.frame = number;
    this.render();
  }

  /** Draws a live run from its stream, until it is left. */
  follow(data) {
    this.wanted = data;
    if (this.watching?.path !== data.live) {
      this.leave();
      this.watching = { path: data.live, ...globalThis.segvizLive.watch(data.live, () => this.drawLive()) };
    }
    this.drawLive();
  }

  leave() {
    this.watching?.end();
    this.watching = null;
  }

  /** One drawing at a time, always of the newest news; what was on show before stays until there are pictures. */
  async drawLive() {
    if (this.drawing) return void (this.again = true);
    this.drawing = true;
    try {
      do {
        this.again = false;
        await this.drawNewest();
      } while (this.again);
    } finally {
      this.drawing = false;
    }
  }

  async drawNewest() {
    const { watching, wanted } = this;
    const view = watching?.stream.news?.view;
    if (!view?.pictures.map) return;
    const { layer } = globalThis.segvizLayers;
    const images = await Promise.all([
      layer(wanted.left.layer, watching.stream, view, wanted.look),
      layer(wanted.right.layer, watching.stream, view, wanted.look),
      watching.stream.pixels(view.pictures.clean, view),
      watching.stream.pixels(view.pictures.map, view),
    ]);
    if (this.watching === watching && images.every((image) => image)) this.show(++this.latest, wanted, images);
  }

  nameLayers(...names) {
    this.panes.forEach((pane, i) => (pane.querySelector(".label").textContent = names[i]));
    [this.root.dataset.left, this.root.dataset.right] = names;
    this.divider.setAttribute("aria-label", `Divider between ${names[0]} and ${names[1]}`);
  }

  onWheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1);
    const speed = event.ctrlKey ? 0.01 : 0.002; // a trackpad's pinch comes as small wheel steps with ctrlKey
    this.zoomBy(Math.exp(-pixels * speed), this.toPane(this.toStage(event)));
  }

  onPress(event) {
    if (event.button !== 0) return;
    const point = this.toStage(event);
    const onDivider = this.divider.contains(event.target);
    this.stage.setPointerCapture(event.pointerId);
    this.pressed.set(event.pointerId, point);
    this.drag = onDivider || (this.mode === "swipe" && this.zoom === 1) ? "divider" : "pan";
    this.grip = onDivider ? point.x - this.splitX() : 0;
    this.still = onDivider ? null : point;
    this.showHover(point);
  }

  /** A press that moved nothing is a click on a pixel. */
  onRelease(event) {
    const point = this.toStage(event);
    if (!this.still || !this.data?.clickable || this.data.live || distance(point, this.still) > 3) return;
    const { x, y } = this.toPicture(this.toPane(point));
    if (x >= 0 && y >= 0 && x < this.picture.width && y < this.picture.height) this.tell("pixel", { x, y });
  }

  onMove(event) {
    const point = this.toStage(event);
    const last = this.pressed.get(event.pointerId);
    if (!last) return this.showHover(point);
    this.pressed.set(event.pointerId, point);
    if (point.x === last.x && point.y === last.y) return;
    this.hover = null;
    const other = [...this.pressed].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.pinch(last, point, other);
    else if (this.drag === "divider") this.setSplit((point.x - this.grip - this.seen.left) / (this.seen.right - this.seen.left));
    else this.pan(last, point);
  }

  onKey(event) {
    const step = KEY_STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.setSplit(this.split + step);
  }

  /** Zooms so that the picture point under `point` (of a pane; else its middle) stays there; a factor of 0 fits the picture. */
  zoomBy(factor, point = { x: this.box.width / 2, y: this.box.height / 2 }) {
    const zoom = clamp(Number((this.zoom * factor).toFixed(4)), 1, MAX_ZOOM); // rounded, so that zooming out ends at exactly 1
    const scale = (this.scale * zoom) / this.zoom;
    this.centre.x = (point.x - this.start.x) / this.scale + (this.box.width / 2 - point.x) / scale;
    this.centre.y = (point.y - this.start.y) / this.scale + (this.box.height / 2 - point.y) / scale;
    this.zoom = zoom;
    this.render();
  }

  pan(from, to) {
    this.centre.x -= (to.x - from.x) / this.scale;
    this.centre.y -= (to.y - from.y) / this.scale;
    this.render();
  }

  /** One of two fingers went `from` -> `to` while the other one stayed at `other`. */
  pinch(from, to, other) {
    this.drag = "pan"; // what the finger that stays longer does next
    this.pan(middle(from, other), middle(to, other));
    this.zoomBy(distance(to, other) / Math.max(distance(from, other), 1), this.toPane(middle(to, other)));
  }

  setMode(mode) {
    this.mode = mode;
    this.render();
  }

  setSplit(split) {
    this.split = clamp(split, 0, 1);
    this.render();
  }

  toStage(event) {
    const { left, top } = this.stage.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  toPane({ x, y }) {
    const { dx, dy } = this.box;
    const inRightPane = x >= dx && y >= dy;
    return inRightPane ? { x: x - dx, y: y - dy } : { x, y };
  }

  toPicture({ x, y }) {
    return { x: Math.floor((x - this.start.x) / this.scale), y: Math.floor((y - this.start.y) / this.scale) };
  }

  splitX() {
    return this.seen.left + this.split * (this.seen.right - this.seen.left);
  }

  render() {
    this.size = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    if (!this.picture || !this.size.width) return; // nothing to show yet, or in a hidden tab
    this.place();
    this.showPanes();
    this.showControls();
    this.showHover(this.hover);
  }

  /** Settles the panes' box, the scale, the picture's start in a pane and what of the pane it covers. */
  place() {
    this.box = arrange(this.mode, this.size, this.picture);
    this.scale = this.box.fit * this.zoom;
    const width = this.picture.width * this.scale;
    const height = this.picture.height * this.scale;
    const x = startOf(this.centre.x * this.scale, width, width / this.zoom, this.box.width);
    const y = startOf(this.centre.y * this.scale, height, height / this.zoom, this.box.height);
    this.start = { x, y };
    this.centre = { x: (this.box.width / 2 - x) / this.scale, y: (this.box.height / 2 - y) / this.scale };
    this.seen = {
      left: Math.max(x, 0),
      right: Math.min(x + width, this.box.width),
      top: Math.max(y, 0),
      bottom: Math.min(y + height, this.box.height),
    };
  }

  showPanes() {
    const { layout, width, height, dx, dy } = this.box;
    this.stage.dataset.layout = layout;
    this.stage.toggleAttribute("data-zoomed", this.zoom > 1);
    this.setLengths({ ...this.seen, split: this.splitX(), width, height, dx, dy });
    for (const { canvas } of this.pictures) canvas.style.transform = `translate(${this.start.x}px, ${this.start.y}px) scale(${this.scale})`;
  }

  showControls() {
    this.divider.setAttribute("aria-valuenow", Math.round(this.split * 100));
    this.zoomText.textContent = `${this.zoom.toFixed(1)}×`;
    for (const button of this.modeButtons) button.setAttribute("aria-pressed", button.dataset.mode === this.mode);
  }

  /** The read-out of the pixel under `point` (of the stage); none for null or beside the picture. */
  showHover(point) {
    this.hover = point;
    if (!this.picture) return;
    const pixel = point && this.toPicture(this.toPane(point));
    const inside = pixel !== null && pixel.x >= 0 && pixel.y >= 0 && pixel.x < this.picture.width && pixel.y < this.picture.height;
    this.stage.toggleAttribute("data-hover", inside);
    if (!inside) return;
    const middleOf = (start, index) => start + (index + 0.5) * this.scale;
    this.setLengths({ "cross-x": middleOf(this.start.x, pixel.x), "cross-y": middleOf(this.start.y, pixel.y), "cross-gap": this.scale });
    this.fillReadout(pixel);
    this.placeReadout(point);
  }

  fillReadout({ x, y }) {
    const { classes, palette, live } = this.data;
    const swatches = this.readout.querySelectorAll(".swatch");
    const whats = this.readout.querySelectorAll(".what");
    const labels = this.maps.map((map, i) => {
      const [label, confidence] = map.getImageData(x, y, 1, 1).data;
      swatches[i].style.background = `rgb(${palette[label]})`;
      whats[i].textContent = live ? classes[label] : `${classes[label]} ${Math.round(confidence / 2.55)} %`;
      return label;
    });
    this.readout.querySelector(".at").textContent = `x ${x}, y ${y}`;
    this.readout.toggleAttribute("data-changed", labels[0] !== labels[1]);
  }

  /** Beside the pointer, on the side that has room, and never beyond the stage. */
  placeReadout({ x, y }) {
    const along = (at, length, room) => clamp(at + 16 + length > room ? at - 16 - length : at + 16, 4, room - length - 4);
    const left = along(x, this.readout.offsetWidth, this.size.width);
    const top = along(y, this.readout.offsetHeight, this.size.height);
    this.readout.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  setLengths(lengths) {
    for (const [name, value] of Object.entries(lengths)) this.stage.style.setProperty(`--${name}`, `${value}px`);
  }
}

const viewers = new WeakMap(); // root element -> its Viewer

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".viewer");
  if (!viewers.has(root)) viewers.set(root, new Viewer(root));
  const viewer = viewers.get(root);
  viewer.tell = setTriggerValue;
  viewer.update(data);
  const call = ++viewer.calls;
  return () => viewer.calls === call && viewer.end(); // a late clean-up of an earlier call must not end the viewer
}
