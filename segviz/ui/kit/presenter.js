// The switch of the presenter view. The browser turns the page at once, before the script has run, and keeps the switch over a reload of
// the tab. Streamlit calls the default function at the bottom again with each data update; one Switch per root element.

const KEPT = "segviz.presenting";

class Switch {
  calls = 0;
  ended = new AbortController();

  constructor(root) {
    const at = { signal: this.ended.signal };
    [this.button, this.keys] = ["button", "span"].map((name) => root.querySelector(name));
    this.button.addEventListener("click", () => this.turn(), at);
    addEventListener("keydown", (event) => this.press(event), at);
  }

  get on() {
    return sessionStorage.getItem(KEPT) === "on";
  }

  press(event) {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.code !== "KeyP") return;
    event.preventDefault();
    this.turn();
  }

  turn() {
    sessionStorage.setItem(KEPT, this.on ? "off" : "on");
    this.show();
  }

  update(data, send) {
    Object.assign(this, { data, send });
    this.show();
  }

  show() {
    document.documentElement.toggleAttribute("data-presenting", this.on);
    this.button.textContent = this.on ? "Leave the presenter view" : "Presenter view";
    this.keys.textContent = this.on ? this.data.keys : "Alt + P";
    if (this.data.presenting !== this.on) this.send({ on: this.on });
  }
}

const switches = new WeakMap(); // root element -> its Switch

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".presenter");
  if (!switches.has(root)) switches.set(root, new Switch(root));
  const one = switches.get(root);
  one.update(data, (turned) => setTriggerValue("turned", turned));
  const call = ++one.calls;
  return () => {
    if (one.calls !== call) return; // a late clean-up of an earlier call must not end it
    one.ended.abort();
    switches.delete(root);
  };
}
