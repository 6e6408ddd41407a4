// Panels that show how it is now: a large figure, and bars.
import { named } from './prometheus.mjs';
import { mapped } from './timeline.mjs';
import { INK, colorAt, element, label, round, widthOf } from './svg.mjs';
import { written } from './units.mjs';

const FIGURE_SIZE = 28;
const NAME_SIZE = 12;
const BAR_HEIGHT_MAX = 26;
const VALUE_ROOM = 80;

const lastOf = (points) =>
  points.map(([, value]) => value).findLast((value) => !Number.isNaN(value));

function drawSpark(points, box, { color, window: { start, end } }) {
  const values = points.map(([, value]) => value).filter(Number.isFinite);
  if (values.length < 2) return '';
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const height = box.height * 0.35;
  const bottom = box.y + box.height;
  const line = points
    .filter(([, value]) => Number.isFinite(value))
    .map(([second, value]) => {
      const x = box.x + ((second - start) / (end - start)) * box.width;
      const y = bottom - ((value - low) / (high - low || 1)) * height * 0.9 - 2;
      return `${round(x)} ${round(y)}`;
    })
    .join('L');
  const [first] = line.split(' ');
  const last = line.split('L').at(-1).split(' ')[0];
  const area = `M${line}L${last} ${round(bottom)}L${first} ${round(bottom)}Z`;
  return (
    element('path', { d: area, fill: color, 'fill-opacity': '0.12' }) +
    element('path', { d: `M${line}`, fill: 'none', stroke: color, 'stroke-opacity': '0.6' })
  );
}

/** @returns the figure, and how many of the queries had no data. */
export async function drawStat(panel, box, { source }) {
  const field = panel.fieldConfig.defaults;
  const series = await source.seriesOf(panel.targets[0], Math.floor(box.width / 2));
  const points = series[0]?.points ?? [];
  const value = lastOf(points);
  if (value === undefined) return { svg: '', empty: 1, isBlank: true };
  const { text, color } = mapped(value, field);
  const size = Math.min(FIGURE_SIZE, (box.width * 0.85 * FIGURE_SIZE) / widthOf(text, FIGURE_SIZE));
  const at = [box.x + box.width / 2, box.y + box.height / 2 + size * 0.1];
  const figure = label(at, text, { size, color, anchor: 'middle', weight: 'bold' });
  const spark =
    panel.options.graphMode === 'area'
      ? drawSpark(points, box, { color, window: source.window })
      : '';
  return { svg: spark + figure, empty: 0, isBlank: false };
}

/** @returns horizontal bars, and how many of the queries had no data. */
export async function drawBars(panel, box, { source }) {
  const field = panel.fieldConfig.defaults;
  const { min = 0, max = 1, unit, thresholds } = field;
  const asked = await Promise.all(
    panel.targets.map(async (target) => {
      const series = await source.seriesOf(target, Math.floor(box.width / 2));
      return series
        .map(({ labels, points }) => ({
          name: named(labels, target.legendFormat),
          value: lastOf(points),
        }))
        .filter(({ value }) => value !== undefined);
    }),
  );
  const bars = asked.flat();
  const empty = asked.filter((each) => each.length === 0).length;
  if (bars.length === 0) return { svg: '', empty, isBlank: true };
  const names = Math.max(...bars.map(({ name }) => widthOf(name, NAME_SIZE))) + 12;
  const room = box.width - names - VALUE_ROOM;
  const pitch = Math.min(box.height / bars.length, BAR_HEIGHT_MAX + 8);
  const drawn = bars.map(({ name, value }, index) => {
    const top = box.y + index * pitch;
    const height = pitch - 8;
    const share = Math.min(Math.max((value - min) / (max - min), 0), 1);
    const color = colorAt(value, thresholds?.steps);
    const left = box.x + names;
    const middle = top + height / 2 + 4;
    return [
      label([left - 8, middle], name, { size: NAME_SIZE, anchor: 'end' }),
      element('rect', { x: left, y: top, width: room, height, fill: INK.grid }),
      element('rect', {
        x: left,
        y: top,
        width: Math.max(share * room, 1),
        height,
        fill: color,
        'fill-opacity': '0.75',
      }),
      label([left + room + 10, middle], written(value, unit), {
        size: NAME_SIZE + 1,
        color,
        weight: 'bold',
      }),
    ].join('');
  });
  return { svg: drawn.join(''), empty, isBlank: false };
}
