// Hears from the server that something in the room is new, and has the script called; keeps over a reload of the tab whose room it is in.
// Streamlit calls the default function at the bottom again with each data update; one Ear per root element listens.

const { leaving, stayed } = globalThis.segvizLeaving;
const KEPT = "segviz.room";
const RETRY = 1000; // ms
const AGAIN = 3000; // ms
const GONE = 4404;

/** Where the server is: what stands in front of the page's own files, whatever path the page was opened by. */
function root() {
  const script = [...document.querySelectorAll("script[src]")].find(({ src }) => src.includes("/static/"));
  return script ? script.src.slice(0, script.src.indexOf("/static/")) : location.origin;
}

class Ear {
  mark = null; // what the server said last
  touched = false; // whether the page was used since it was opened
  calls = 0;
  ended = new AbortController();

  constructor() {
    for (const type of ["pointerdown", "keydown"])
      addEventListener(type, () => (this.touched = true), { capture: true, signal: this.ended.signal });
  }

  update({ holder, mark, place, kept, settled }, send) {
    this.shown = mark;
    this.send = send;
    this.keep(kept, settled);
    if (place !== this.place) {
      this.place = place;
      this.touched = false;
    }
    if (holder !== this.holder) {
      this.holder = holder;
      this.mark = null;
      const former = this.socket;
      this.socket = null;
      former?.close();
      if (holder) this.connect();
    }
    this.expect();
  }

  /** Keep what the script says, or tell it what was kept, again and again until it has settled on that or on nothing. */
  keep(kept, settled) {
    clearTimeout(this.reminder);
    if (kept) return sessionStorage.setItem(KEPT, JSON.stringify(kept));
    if (settled) return sessionStorage.removeItem(KEPT);
    const before = sessionStorage.getItem(KEPT);
    if (before === null) return;
    if (!leaving()) this.send({ kept: JSON.parse(before) });
    this.reminder = setTimeout(() => this.keep(kept, settled), AGAIN);
  }

  connect() {
    if (this.ended.signal.aborted) return;
    const socket = (this.socket = new WebSocket(`${root()}/live/room`.replace(/^http/, "ws")));
    socket.onopen = () => socket.send(this.holder);
    socket.onmessage = ({ data }) => this.hear(data);
    socket.onclose = ({ code }) => {
      if (this.ended.signal.aborted || socket !== this.socket) return;
      if (code === GONE) this.hear("over");
      else this.timer = setTimeout(() => this.connect(), RETRY * (1 + Math.random()));
    };
  }

  hear(mark) {
    this.mark = mark;
    if (mark !== this.shown) this.tell();
  }

  tell() {
    if (!leaving()) this.send({ touched: this.touched });
    this.expect();
  }

  /** Tell once more if the page does not come to show what is new: what is sent while its own connection is down is lost. */
  expect() {
    clearTimeout(this.again);
    if (this.mark !== null && this.mark !== this.shown) this.again = setTimeout(() => this.tell(), AGAIN);
  }

  end() {
    this.ended.abort();
    clearTimeout(this.timer);
    clearTimeout(this.again);
    clearTimeout(this.reminder);
    this.socket?.close();
  }
}

const ears = new WeakMap(); // root element -> its Ear

export default function ({ data, parentElement, setTriggerValue }) {
  const element = parentElement.querySelector(".room");
  if (!ears.has(element)) ears.set(element, new Ear());
  const ear = ears.get(element);
  stayed();
  const frame = element.getRootNode().host?.closest(".stElementContainer");
  if (frame) Object.assign(frame.style, { position: "absolute", width: 0 }); // takes no room on the page
  ear.update(data, (news) => setTriggerValue("news", news));
  const call = ++ear.calls;
  return () => {
    if (ear.calls !== call) return; // a late clean-up of an earlier call must not end it
    ear.end();
    ears.delete(element);
  };
}
