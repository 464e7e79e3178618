// Draws one part of a live run from its stream: status, figures, curves, pictures or a table. Streamlit calls the default function at the
// bottom again with each data update; the browser draws everything in between, and the script is called once, when the run has ended.

const { leaving, stayed } = globalThis.segvizLeaving;
const { watch } = globalThis.segvizLive;
const { layer, coloured } = globalThis.segvizLayers;
const RESULTS = 3000; // ms between calls of the script for new results
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** What a run is at, in the words of the pages. */
function words(news) {
  if (!news) return "Connecting …";
  const { state, view, wait, left, others, stopping } = news;
  if (state === "gone") return "This run is over.";
  if (!view) return wait || "Connecting …";
  const company = others ? `; ${others} other run${others > 1 ? "s are" : " is"} under way` : "";
  const rest = left > 1 && !view.doing.includes(" to go") ? `, about ${left < 90 ? `${Math.round(left)} s` : `${Math.round(left / 60)} min`} to go` : "";
  return `${view.doing}${stopping ? ", stopping …" : rest}${company}`;
}

const PARTS = {
  status(root, news) {
    const text = words(news);
    const view = news?.view;
    const share = view?.total ? Math.min(Math.max(view.done / view.total, 0), 1) : 0;
    if (!root.firstChild) root.append(make("p"), make("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, make("i")));
    const [line, bar] = root.children;
    if (line.textContent !== text) line.textContent = text;
    bar.setAttribute("aria-valuenow", Math.round(100 * share));
    bar.setAttribute("aria-label", text);
    bar.firstChild.style.width = `${100 * share}%`;
  },

  figures(root, news) {
    const figures = news?.view?.figures;
    if (!figures) return;
    const cards = figures.map(([label, value, change]) => {
      const card = make("div", { class: "figure" }, make("span", { class: "name" }, label), make("span", { class: "value" }, value));
      if (change) card.append(make("span", { class: change.startsWith("-") ? "down" : "up" }, change));
      return card;
    });
    root.replaceChildren(...cards);
  },

  curves(root, news, data) {
    const series = news?.view?.series;
    const width = root.clientWidth;
    if (!series?.length || !width) return;
    const panels = new Map();
    for (const one of series) panels.set(one.panel, [...(panels.get(one.panel) ?? []), one]);
    const height = data.height * scale();
    const share = height / (panels.size + 1);
    const drawn = [...panels.entries()].map(([name, group], i) => panel(name, group, width, i ? share : height - share * (panels.size - 1)));
    const keys = series.map(({ name, colour }) => make("span", {}, make("i", { style: `background:${colour}` }), name));
    root.replaceChildren(make("div", { class: "keys" }, ...keys), ...drawn);
  },

  async pictures(root, news, data, watching) {
    const view = news?.view;
    if (!view) return;
    const tiles = data.layers
      ? await Promise.all(data.layers.map(async ({ name, title }) => [name, title, await layer(name, watching.stream, view, data)]))
      : await Promise.all(
          Object.entries(view.pictures).map(async ([name, fact]) => [name, fact.caption || name, await shown(fact, view, data, watching.stream)]),
        );
    for (const [name, title, image] of tiles) {
      if (!image) continue;
      let tile = root.querySelector(`[data-name="${CSS.escape(name)}"]`);
      if (!tile) {
        tile = make("figure", { "data-name": name }, make("canvas", { role: "img" }), make("figcaption"));
        root.append(tile);
      }
      const [canvas, caption] = tile.children;
      canvas.setAttribute("aria-label", title);
      if (caption.textContent !== title) caption.textContent = title;
      if (canvas.image === image) continue;
      Object.assign(canvas, { width: image.width, height: image.height, image });
      canvas.getContext("2d").putImageData(image, 0, 0);
    }
    root.style.setProperty("--columns", data.columns ?? 4);
    const names = tiles.map(([name]) => name);
    for (const tile of [...root.children]) if (!names.includes(tile.dataset.name)) tile.remove();
  },

  table(root, news) {
    const table = news?.view?.table;
    if (!table?.length) return root.replaceChildren();
    const [titles, ...rows] = table;
    const line = (kind, cells) => make("tr", {}, ...cells.map((cell) => make(kind, {}, cell)));
    root.replaceChildren(make("table", {}, make("thead", {}, line("th", titles)), make("tbody", {}, ...rows.map((row) => line("td", row)))));
  },
};

PARTS.all = (root, news, data, watching) =>
  Promise.all(
    ["figures", "table", "curves", "pictures"].map((part) => {
      let place = root.querySelector(`:scope > [data-part="${part}"]`);
      if (!place) root.append((place = make("div", { class: "live", "data-part": part })));
      return PARTS[part](place, news, data, watching);
    }),
  );

/** A picture of the stream as it is seen: a map as `data` says. */
async function shown(fact, view, data, stream) {
  const image = await stream.pixels(fact, view);
  return image && fact.map ? coloured(null, image, data) : image;
}

/** Whole-looking numbers that divide an axis. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? power;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) found.push(Number(at.toPrecision(10)));
  return found;
}

/** How large type is on this page, 1 being usual. */
function scale() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}

/** One chart with the curves of a group. */
function panel(name, group, width, height) {
  const box = { left: 46 * scale(), right: width - 8, top: 8, bottom: height - 24 * scale() };
  const values = group.flatMap(({ y }) => y.filter((value) => value !== null && Number.isFinite(value)));
  const percent = group.every((one) => one.percent);
  let [low, high] = percent ? [0, 1] : [Math.min(...values), Math.max(...values)];
  if (!(high > low)) [low, high] = [low - 1, low + 1];
  const to = Math.max(...group.map((one) => one.to), 1);
  const across = (x) => box.left + (x / to) * (box.right - box.left);
  const down = (y) => box.bottom - ((y - low) / (high - low)) * (box.bottom - box.top);
  const chart = draw("svg", { width, height, role: "img", "aria-label": `${name || "Curves"}: ${group.map((one) => one.name).join(", ")}` });
  for (const at of ticks(low, high, 5)) {
    chart.append(draw("line", { class: "grid", x1: box.left, x2: box.right, y1: down(at), y2: down(at) }));
    chart.append(draw("text", { class: "y", x: box.left - 6, y: down(at) + 4 }, percent ? `${Math.round(100 * at)}%` : String(at)));
  }
  for (const at of ticks(0, to, 6)) chart.append(draw("text", { class: "x", x: across(at), y: height - 6 }, String(at)));
  for (const { x, y, colour, name } of group) {
    let path = "";
    let pen = false;
    x.forEach((at, i) => {
      if (y[i] === null) return (pen = false);
      path += `${pen ? "L" : "M"}${across(at).toFixed(1)} ${down(y[i]).toFixed(1)}`;
      pen = true;
    });
    chart.append(draw("path", { class: "curve", d: path || "M0 0", stroke: colour, "data-name": name, "data-points": x.length }));
    if (x.length > 60) continue;
    x.forEach((at, i) => y[i] !== null && chart.append(draw("circle", { cx: across(at), cy: down(y[i]), r: 2.5, fill: colour })));
  }
  return chart;
}

class Part {
  calls = 0;
  drawing = false;
  again = false;

  constructor(root) {
    this.root = root;
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(root);
    root.getRootNode().host?.closest(".stElementContainer")?.style.setProperty("opacity", "1", "important");
  }

  update(data, trigger) {
    this.data = data;
    this.trigger = trigger;
    if (data.live !== this.path) {
      this.watching?.end();
      clearTimeout(this.later);
      this.later = null;
      this.path = data.live;
      this.told = false;
      this.results = undefined;
      this.watching = watch(data.live, (news, over) => this.hear(news, over));
    }
    this.root.dataset.part = data.part;
    this.draw();
  }

  hear(news, over) {
    this.draw();
    if (this.told || this.data.part !== "status") return;
    if (over) {
      this.told = true;
      clearTimeout(this.later);
      this.tell(RESULTS);
    } else if (news.view && news.view.results !== this.results) {
      // The first count is what the script knew when it put this here.
      const first = this.results === undefined;
      this.results = news.view.results;
      if (!first) this.later ??= setTimeout(() => this.callForResults(), RESULTS);
    }
  }

  /** Call the script until it has put the result in place of this: a call in the middle of another script may be lost. */
  tell(wait) {
    if (!leaving()) this.trigger("ended", this.path);
    this.later = setTimeout(() => this.tell(2 * wait), wait);
  }

  callForResults() {
    this.later = null;
    if (!this.told && !leaving()) this.trigger("ended", `${this.path} ${this.results}`);
  }

  /** One drawing at a time, always of the newest news: a browser that is slow leaves some out. */
  async draw() {
    if (this.drawing) return void (this.again = true);
    this.drawing = true;
    try {
      do {
        this.again = false;
        const { watching } = this;
        if (!watching) break;
        const { news } = watching.stream;
        await PARTS[this.data.part](this.root, news, this.data, watching);
        if (news?.view) this.root.dataset.done = news.view.done;
      } while (this.again);
    } finally {
      this.drawing = false;
    }
  }

  end() {
    this.watching?.end();
    clearTimeout(this.later);
    this.path = null;
    this.resizing.disconnect();
    parts.delete(this.root);
  }
}

const parts = new WeakMap(); // root element -> its Part

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".live");
  if (!parts.has(root)) parts.set(root, new Part(root));
  const part = parts.get(root);
  stayed();
  part.update(data, setTriggerValue);
  const call = ++part.calls;
  return () => part.calls === call && part.end(); // a late clean-up of an earlier call must not end the part
}
