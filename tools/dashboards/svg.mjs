// Pieces of a picture as SVG.

/** Of the light theme of Grafana, near enough. */
export const INK = {
  page: '#f4f5f5',
  panel: '#ffffff',
  border: '#dcdde0',
  grid: '#e9eaec',
  text: '#24292e',
  faint: '#6c7178',
};

const NAMED = {
  green: '#56a64b',
  yellow: '#f2cc0c',
  orange: '#ff780a',
  red: '#e02f44',
  blue: '#3274d9',
  transparent: 'none',
  text: INK.text,
};
const PALETTE = [
  ...['#56a64b', '#f2cc0c', '#8ab8ff', '#ff780a', '#f2495c', '#5794f2', '#b877d9', '#705da0'],
  ...['#37872d', '#e0b400', '#447ebc', '#c15c17', '#890f02', '#0a437c', '#6d1f62', '#3f6833'],
];
const FONT = "'Liberation Sans', Arial, 'DejaVu Sans', sans-serif";
/** Of the height of a letter, on average. */
const LETTER_WIDTH = 0.56;

/** @returns the colour of a name that thresholds use. */
export const colorNamed = (name) => NAMED[name] ?? name;

/** Gives series their colours by name: the same wherever it is drawn, unless another of the panel has it. */
export function colorsOf(names) {
  const taken = new Set();
  return names.map((name) => {
    const first = PALETTE.indexOf(colorOf(name));
    const order = [...PALETTE.slice(first), ...PALETTE.slice(0, first)];
    const color = order.find((each) => !taken.has(each)) ?? order[0];
    taken.add(color);
    return color;
  });
}

function colorOf(name) {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return PALETTE[((hash ^ (hash >>> 13)) >>> 0) % PALETTE.length];
}

/** @returns the colour of the step of a value, as thresholds name it. */
export function colorAt(value, steps = []) {
  const reached = steps.filter((step) => step.value === null || value >= step.value);
  return colorNamed(reached.at(-1)?.color ?? 'green');
}

const escaped = (text) =>
  String(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** @returns a number with one digit after the point. */
export const round = (value) => String(Math.round(value * 10) / 10);

/** @returns an element. */
export function element(name, attributes, content) {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escaped(value)}"`)
    .join('');
  return content === undefined ? `<${name}${list}/>` : `<${name}${list}>${content}</${name}>`;
}

/** How wide a text will be, nearly. */
export const widthOf = (text, size) => text.length * size * LETTER_WIDTH;

/** @returns the text as far as there is room for it. */
export function fitting(text, size, room) {
  const letters = Math.floor(room / (size * LETTER_WIDTH));
  if (text.length <= letters) return text;
  return letters < 2 ? '' : `${text.slice(0, letters - 1)}…`;
}

/** @returns a line of text; `at` is where it begins, ends, or has its middle, by `anchor`. */
export function label([x, y], text, { size = 11, color = INK.text, anchor, weight } = {}) {
  const style = { 'font-size': size, fill: color, 'text-anchor': anchor, 'font-weight': weight };
  return element('text', { x, y, ...style }, escaped(text));
}

/** @returns a picture of this size. */
export function picture(width, height, content) {
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  const ground = element('rect', { width, height, fill: INK.page });
  return element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', ...size, 'font-family': FONT },
    ground + content,
  );
}
