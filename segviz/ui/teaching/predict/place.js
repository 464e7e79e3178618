// A picture on which a place is predicted. Streamlit calls the default function at the bottom again with each data update.

const TEMPLATE = `
  <div class="picture" tabindex="0" role="application">
    <img draggable="false"><div class="mask" hidden></div><div class="marks"></div><div class="cursor" hidden></div>
  </div>
  <div class="row"><span class="hint" aria-live="polite"></span></div>`;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const clamp = (value) => Math.max(0, Math.min(value, 1));

class Target {
  cursor = null; // the place that the arrow keys have come to
  calls = 0;
  ended = new AbortController();

  constructor(root) {
    root.innerHTML = TEMPLATE;
    const one = (selector) => root.querySelector(selector);
    this.root = root;
    [this.picture, this.image, this.mask, this.marks, this.pointer, this.hint] = [".picture", "img", ".mask", ".marks", ".cursor", ".hint"].map(one);
    const on = (type, action) => this.picture.addEventListener(type, action.bind(this), { signal: this.ended.signal });
    on("click", this.onClick);
    on("keydown", this.onKey);
  }

  end() {
    this.ended.abort();
    targets.delete(this.root);
  }

  update(data, send) {
    Object.assign(this, { data, send });
    if (this.image.src !== data.src) this.image.src = data.src;
    this.image.alt = data.alt;
    this.picture.setAttribute("aria-label", data.open ? `${data.alt}. Choose a place with the arrow keys and press Enter.` : data.alt);
    this.mask.hidden = data.mask === null;
    if (data.mask !== null) this.mask.style.setProperty("--mask", `url("${data.mask}")`);
    this.marks.innerHTML = data.guesses.map(([x, y]) => `<i style="left: ${100 * x}%; top: ${100 * y}%"></i>`).join("");
    this.root.toggleAttribute("data-open", data.open);
    this.root.toggleAttribute("data-many", data.guesses.length > 1);
    this.hint.textContent = data.open ? "Click on the picture, or use the arrow keys and Enter." : data.mask === null ? "" : "Lit: where it was measured.";
    if (!data.open) this.move(null);
  }

  move(cursor) {
    this.cursor = cursor;
    this.pointer.hidden = cursor === null;
    if (cursor !== null) Object.assign(this.pointer.style, { left: `${100 * cursor[0]}%`, top: `${100 * cursor[1]}%` });
  }

  onClick(event) {
    if (!this.data.open) return;
    const { left, top, width, height } = this.picture.getBoundingClientRect();
    this.send([clamp((event.clientX - left) / width), clamp((event.clientY - top) / height)]);
  }

  onKey(event) {
    if (!this.data.open) return;
    const step = MOVES[event.key];
    if (step) {
      event.preventDefault();
      const [x, y] = this.cursor ?? [0.5, 0.5];
      this.move([clamp(x + 0.03 * step[0]), clamp(y + 0.03 * step[1])]);
    } else if (event.key === "Enter" && this.cursor !== null) this.send(this.cursor);
  }
}

const targets = new WeakMap(); // root element -> its Target

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".predict");
  if (!targets.has(root)) targets.set(root, new Target(root));
  const target = targets.get(root);
  target.update(data, (place) => setTriggerValue("answer", place));
  const call = ++target.calls;
  return () => target.calls === call && target.end(); // a late clean-up of an earlier call must not end it
}
