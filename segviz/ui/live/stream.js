// The news of live runs, for all components of the page: one stream per run whatever the number of components that draw it, and every
// picture fetched and decoded once. This text stands in front of each component's own; the first one to arrive sets it up.
//
// The stream is a websocket. Where it breaks it is opened again, and until it is back the newest news are asked for, slowly.

globalThis.segvizLive ??= (() => {
  const RETRY = [500, 1000, 2000, 4000, 8000]; // ms
  const POLL = 2000; // ms
  const KEPT = 24; // decoded pictures per run

  /** Where the server is: what stands in front of the page's own files, whatever path the page was opened by. */
  function root() {
    const script = [...document.querySelectorAll("script[src]")].find(({ src }) => src.includes("/static/"));
    return script ? script.src.slice(0, script.src.indexOf("/static/")) : location.origin;
  }

  class Stream {
    news = null; // the newest message, with its view put together
    listeners = new Set();
    pictures = new Map(); // name of a file -> promise of its pixels
    failures = 0;
    ended = false;

    constructor(path) {
      this.address = `${root()}/live/${path}`;
      this.connect();
    }

    connect() {
      if (this.ended) return;
      const socket = new WebSocket(this.address.replace(/^http/, "ws"));
      this.socket = socket;
      socket.onmessage = ({ data }) => {
        this.failures = 0;
        clearInterval(this.poll);
        this.poll = null;
        this.take(JSON.parse(data));
      };
      socket.onclose = ({ code }) => {
        if (this.ended || socket !== this.socket) return;
        if (code === 4404) return this.take({ ...this.news, state: "gone" });
        this.poll ??= setInterval(() => this.ask(), POLL);
        this.timer = setTimeout(() => this.connect(), RETRY[Math.min(this.failures++, RETRY.length - 1)]);
      };
    }

    /** Without a stream, what there is now. */
    async ask() {
      const answer = await fetch(`${this.address}/latest`).catch(() => null);
      if (!this.poll || !answer) return;
      if (answer.status === 404) return this.take({ ...this.news, state: "gone" });
      if (answer.ok) this.take(await answer.json());
    }

    take(message) {
      if (this.ended) return;
      const before = new Map((this.news?.view?.series ?? []).map((series) => [`${series.panel}/${series.name}`, series]));
      for (const series of message.view?.series ?? []) {
        const known = before.get(`${series.panel}/${series.name}`);
        if (!series.from || !known) continue;
        series.x = [...known.x.slice(0, series.from), ...series.x];
        series.y = [...known.y.slice(0, series.from), ...series.y];
      }
      message.view ??= this.news?.view ?? null;
      this.news = message;
      const over = !["waiting", "running"].includes(message.state);
      if (over) this.close();
      for (const listener of [...this.listeners]) listener(message, over);
    }

    close() {
      this.ended = true;
      clearInterval(this.poll);
      clearTimeout(this.timer);
      this.socket.close();
    }

    /** The pixels (RGBA) of a picture of the view, null if it is gone. */
    pixels(fact, view) {
      const known = this.pictures.get(fact.src);
      if (known) return known;
      const loading = this.load(fact, view).catch(() => {
        this.pictures.delete(fact.src);
        return null;
      });
      this.pictures.set(fact.src, loading);
      for (const name of [...this.pictures.keys()].slice(0, -KEPT)) this.pictures.delete(name);
      return loading;
    }

    async load(fact, view) {
      const answer = await fetch(`${this.address}/frames/${fact.src}`);
      if (!answer.ok) return null;
      const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
      context.drawImage(bitmap, 0, 0);
      const image = context.getImageData(0, 0, bitmap.width, bitmap.height);
      if (!fact.base) return image;
      const base = await this.pixels(view.pictures[fact.base], view);
      if (!base) return null;
      // The sum is modulo 256, as the difference was.
      const sum = new Uint8Array(image.data.buffer);
      for (let i = 0; i < sum.length; i++) if (i % 4 < 3) sum[i] += base.data[i] - 128;
      return image;
    }
  }

  const streams = new Map();

  /** Have `listener` called with the news of a run, now and whenever there are more; returns what ends that, with the `stream`. */
  function watch(path, listener) {
    if (!streams.has(path)) streams.set(path, new Stream(path));
    const stream = streams.get(path);
    stream.listeners.add(listener);
    if (stream.news) queueMicrotask(() => stream.listeners.has(listener) && listener(stream.news, stream.ended));
    const end = () => {
      stream.listeners.delete(listener);
      // A moment later, as a component that is drawn anew comes back at once.
      setTimeout(() => {
        if (stream.listeners.size || streams.get(path) !== stream) return;
        stream.close();
        streams.delete(path);
      }, 3000);
    };
    return { stream, end };
  }

  return { watch };
})();
