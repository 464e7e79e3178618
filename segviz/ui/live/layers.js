// The layers of an attack's pictures, derived from what the stream brings: a photo, its adversarial version, two maps. The same arithmetic
// as segviz/draw.py, pixel by pixel.

globalThis.segvizLayers ??= (() => {
  const VOID = 255;
  const VOID_COLOUR = [150, 150, 150];
  const FLIP_COLOUR = [255, 140, 0];
  const BLUE = [33, 102, 172];
  const RED = [178, 24, 43];

  /** Which pictures of the stream each layer is made of. */
  const SOURCES = {
    Input: ["photo"],
    Adversarial: ["adversarial"],
    Perturbation: ["photo", "adversarial"],
    "Perturbation RGB": ["photo", "adversarial"],
    "Clean map": ["photo", "clean"],
    "Adversarial map": ["photo", "map"],
    "Flipped pixels": ["photo", "clean", "map"],
    "Clean confidence": ["clean confidence"],
    "Adversarial confidence": ["confidence"],
    "Label map": ["photo", "labels"],
    "Target map": ["photo", "target"],
    Region: ["region"],
    "Region to break": ["region to break"],
  };

  const single = Math.fround; // as numpy computes here, so that halves fall alike

  /** Nearest whole number, the even one of two, as numpy and OpenCV round. */
  function even(value) {
    const floor = Math.floor(value);
    const rest = value - floor;
    if (rest !== 0.5) return Math.round(value);
    return floor % 2 ? floor + 1 : floor;
  }

  const grey = (photo, i) => (photo[i] * 4899 + photo[i + 1] * 9617 + photo[i + 2] * 1868 + 8192) >> 14;

  /** A picture of the same size, each pixel given by `colour(i, x, y)`, i the place of its red value. */
  function painted(like, colour) {
    const image = new ImageData(like.width, like.height);
    for (let y = 0, i = 0; y < like.height; y++) {
      for (let x = 0; x < like.width; x++, i += 4) {
        const [red, green, blue] = colour(i, x, y);
        image.data[i] = red;
        image.data[i + 1] = green;
        image.data[i + 2] = blue;
        image.data[i + 3] = 255;
      }
    }
    return image;
  }

  /** Whether a pixel is in the darker part of its class's pattern. */
  function striped(label, x, y) {
    if (label === 0 || label === VOID) return false;
    const along = [x - y, x, y, x + y][label % 4];
    const period = (label >> 2) % 2 ? 12 : 7;
    return ((along % period) + period) % period < 2;
  }

  /** Where classes meet: black on one side, white on the other. Rows come before columns. */
  function outline(image, { data, width, height }) {
    const set = (i, level) => image.data.fill(level, i, i + 3);
    for (const [right, down] of [[0, 1], [1, 0]]) {
      const next = 4 * (right + down * width);
      const black = [];
      const white = [];
      for (let y = 0; y < height - down; y++) {
        for (let x = 0, i = 4 * y * width; x < width - right; x++, i += 4) {
          if (data[i] !== data[i + next]) black.push(i), white.push(i + next);
        }
      }
      for (const i of black) set(i, 0);
      for (const i of white) set(i, 255);
    }
  }

  /** A map as it is seen, over the photo if there is to be one. */
  function coloured(photo, map, { palette, shown, onPhoto, opacity, outlines, patterns }) {
    const table = palette.map((colour, index) => (shown === null || shown.includes(index) ? colour : [255, 255, 255]));
    const image = painted(map, (i, x, y) => {
      const label = map.data[i];
      let colour = label === VOID && (x + y) % 6 < 2 ? [90, 90, 90] : (table[label] ?? VOID_COLOUR);
      if (patterns && striped(label, x, y)) colour = colour.map((value) => value >> 1);
      return onPhoto ? colour.map((value, channel) => even(opacity * value + (1 - opacity) * photo.data[i + channel])) : colour;
    });
    if (outlines) outline(image, map);
    return image;
  }

  function perturbation(photo, adversarial, { scale }) {
    return painted(photo, (i) => {
      let sum = 0;
      for (let channel = 0; channel < 3; channel++) sum += adversarial.data[i + channel] - photo.data[i + channel];
      const change = single(single(sum / 3) / scale);
      const fade = single(1 - Math.min(Math.abs(change), 1));
      return (change > 0 ? RED : BLUE).map((value) => even(single(single(fade * 255) + single(single(1 - fade) * value))));
    });
  }

  function perChannel(photo, adversarial, { scale }) {
    return painted(photo, (i) =>
      [0, 1, 2].map((channel) => {
        const change = single((adversarial.data[i + channel] - photo.data[i + channel]) / scale);
        return even(single(127.5 + single(127.5 * Math.max(-1, Math.min(change, 1)))));
      }),
    );
  }

  function flipped(photo, before, after) {
    return painted(photo, (i) => (before.data[i] === after.data[i] ? Array(3).fill(grey(photo.data, i) >> 1) : FLIP_COLOUR));
  }

  const plain = (picture) => picture;
  const heat = (confidence, { heat }) => painted(confidence, (i) => heat[confidence.data[i]]);
  const DRAWN = {
    Input: plain,
    Adversarial: plain,
    Region: plain,
    "Region to break": plain,
    Perturbation: perturbation,
    "Perturbation RGB": perChannel,
    "Flipped pixels": flipped,
    "Clean confidence": heat,
    "Adversarial confidence": heat,
  };

  /** A layer by name, null as long as something of it is missing. */
  async function layer(name, stream, view, look) {
    const small = look.preview && view.pictures[SOURCES[name]?.at(-1)]?.preview;
    if (small && DRAWN[name] === plain) return stream.pixels({ src: small, base: "" }, view);
    const facts = SOURCES[name]?.map((source) => view.pictures[source]);
    if (!facts || facts.some((fact) => !fact)) return null;
    const sources = await Promise.all(facts.map((fact) => stream.pixels(fact, view)));
    if (sources.some((source) => !source)) return null;
    return (DRAWN[name] ?? coloured)(...sources, look);
  }

  return { layer, coloured };
})();
