// Axes on which a curve is predicted. Streamlit calls the default function at the bottom again with each data update; the curve under way
// lives in one Sketch per root element.

const WIDEST = 640;
const HEIGHT = 320;
const LEFT = 54;
const RIGHT = 16;
const TOP = 14;
const BOTTOM = 44;

const TEMPLATE = `
  <svg role="group" aria-label="Axes to draw on">
    <g class="grid"></g><g class="others"></g><path class="measured"/><path class="guess"/><g class="handles"></g>
    <text class="title" y="${HEIGHT - 6}" text-anchor="middle"></text>
    <text class="title" transform="translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle"></text>
  </svg>
  <div class="row"><span class="hint" aria-live="polite"></span>
    <button type="button" data-action="again">Draw again</button><button type="button" class="primary" data-action="done">This is my guess</button></div>`;

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

class Sketch {
  heights = [];
  last = null; // the place that the pointer touched last: what lies between is filled in
  calls = 0;
  ended = new AbortController();

  constructor(root) {
    root.innerHTML = TEMPLATE;
    const one = (selector) => root.querySelector(selector);
    this.root = root;
    this.svg = one("svg");
    [this.xTitle, this.yTitle] = root.querySelectorAll(".title");
    this.parts = Object.fromEntries(["grid", "others", "measured", "guess", "handles", "hint"].map((name) => [name, one(`.${name}`)]));
    this.done = one('[data-action="done"]');
    this.again = one('[data-action="again"]');
    const on = (target, type, action) => target.addEventListener(type, action.bind(this), { signal: this.ended.signal });
    on(this.svg, "pointerdown", this.onPress);
    on(this.svg, "pointermove", this.onMove);
    on(this.svg, "keydown", this.onKey);
    on(this.done, "click", () => this.send(this.heights));
    on(this.again, "click", () => this.clear());
    this.resizing = new ResizeObserver(() => requestAnimationFrame(() => this.data && this.width !== this.drawn && this.render()));
    this.resizing.observe(root);
  }

  /** Width of the drawing in its own units, which on a narrow page are pixels, so that letters keep their size. */
  get width() {
    return Math.max(2 * (LEFT + RIGHT), Math.min(this.root.clientWidth || WIDEST, WIDEST));
  }

  end() {
    this.ended.abort();
    this.resizing.disconnect();
    sketches.delete(this.root);
  }

  update(data, send) {
    const places = JSON.stringify(data.at);
    this.send = send;
    if (places !== this.places) {
      this.places = places;
      this.heights = data.at.map(() => null);
    }
    this.data = data;
    this.render();
  }

  x(at) {
    const [first, end] = [this.data.at[0], this.data.at[this.data.at.length - 1]];
    return LEFT + ((at - first) / (end - first)) * (this.width - LEFT - RIGHT);
  }

  y(height) {
    return TOP + (1 - height) * (HEIGHT - TOP - BOTTOM);
  }

  clear() {
    this.heights = this.data.at.map(() => null);
    this.render();
  }

  /** The nearest place and the height under a pointer. */
  under(event) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * this.width;
    const y = ((event.clientY - top) / height) * HEIGHT;
    const distances = this.data.at.map((at) => Math.abs(this.x(at) - x));
    return { place: distances.indexOf(Math.min(...distances)), height: clamp(1 - (y - TOP) / (HEIGHT - TOP - BOTTOM), 0, 1) };
  }

  onPress(event) {
    if (!this.data.open || event.button !== 0) return;
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    this.last = this.under(event);
    this.heights[this.last.place] = this.last.height;
    this.render();
  }

  onMove(event) {
    if (!this.data.open || !this.svg.hasPointerCapture(event.pointerId)) return;
    const now = this.under(event);
    const step = Math.sign(now.place - this.last.place);
    for (let place = this.last.place; step !== 0 && place !== now.place; place += step) {
      const share = (place - this.last.place) / (now.place - this.last.place);
      if (share > 0) this.heights[place] = this.last.height + share * (now.height - this.last.height);
    }
    this.heights[now.place] = now.height;
    this.last = now;
    this.render();
  }

  onKey(event) {
    const place = Number(event.target.dataset?.place ?? -1);
    const step = { ArrowUp: 0.05, ArrowRight: 0.05, ArrowDown: -0.05, ArrowLeft: -0.05 }[event.key];
    if (!this.data.open || place < 0 || step === undefined) return;
    event.preventDefault();
    this.heights[place] = clamp((this.heights[place] ?? 0.5) + step, 0, 1);
    this.render();
    this.parts.handles.querySelector(`[data-place="${place}"]`).focus();
  }

  line(heights) {
    const points = heights.map((height, i) => (height === null ? null : `${this.x(this.data.at[i])},${this.y(height)}`)).filter(Boolean);
    return points.length > 1 ? `M${points.join("L")}` : "";
  }

  render() {
    const { at, titles, open, guesses, measured } = this.data;
    this.drawn = this.width;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.xTitle.setAttribute("x", (LEFT + this.width - RIGHT) / 2);
    const drawn = open ? this.heights : (guesses[0] ?? []);
    [this.xTitle.textContent, this.yTitle.textContent] = titles;
    const level = (share) =>
      `<line x1="${LEFT}" x2="${this.width - RIGHT}" y1="${this.y(share)}" y2="${this.y(share)}"/>` +
      `<text x="${LEFT - 6}" y="${this.y(share) + 4}" text-anchor="end">${100 * share} %</text>`;
    const ticks = at.filter((one, i) => i === 0 || this.x(one) - this.x(at[i - 1]) > 24 || i === at.length - 1);
    const tick = (one) => `<text x="${this.x(one)}" y="${HEIGHT - BOTTOM + 17}" text-anchor="middle">${one}</text>`;
    this.parts.grid.innerHTML = [0, 0.25, 0.5, 0.75, 1].map(level).join("") + ticks.map(tick).join("");
    this.parts.others.innerHTML = guesses.slice(open ? 0 : 1).map((one) => `<path d="${this.line(one)}"/>`).join("");
    this.parts.measured.setAttribute("d", measured ? this.line(measured) : "");
    this.parts.guess.setAttribute("d", this.line(drawn));
    const handle = (height, i) =>
      `<circle cx="${this.x(at[i])}" cy="${this.y(height ?? 0.5)}" r="6" data-place="${i}" tabindex="0" role="slider" aria-valuemin="0" ` +
      `aria-valuemax="100" aria-valuenow="${Math.round(100 * (height ?? 0.5))}" aria-label="${titles[1]} at ${at[i]}" class="${height === null ? "unset" : ""}"/>`;
    this.parts.handles.innerHTML = open ? this.heights.map(handle).join("") : "";
    const left = this.heights.filter((height) => height === null).length;
    const told = left ? `Draw from left to right with the mouse or a finger; ${left} of ${at.length} places are still empty.` : "Done? You can still move it.";
    this.parts.hint.textContent = open ? told : measured ? "Thick: measured. Thin: guessed." : "";
    this.done.hidden = this.again.hidden = !open;
    this.done.disabled = left > 0;
    this.root.toggleAttribute("data-measured", Boolean(measured));
  }
}

const sketches = new WeakMap(); // root element -> its Sketch

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".predict");
  if (!sketches.has(root)) sketches.set(root, new Sketch(root));
  const sketch = sketches.get(root);
  sketch.update(data, (heights) => setTriggerValue("answer", heights));
  const call = ++sketch.calls;
  return () => sketch.calls === call && sketch.end(); // a late clean-up of an earlier call must not end it
}
