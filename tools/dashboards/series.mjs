// Lines and areas over time.
import { named } from './prometheus.mjs';
import {
  axisRoom,
  drawLegend,
  drawMarks,
  legendHeight,
  legendLines,
  niceTicks,
  plane,
  timeAxis,
  valueAxis,
} from './plot.mjs';
import { colorAt, colorsOf, element, round } from './svg.mjs';
import { written } from './units.mjs';

const TIME_AXIS = 18;
const BYTE_UNITS = new Set(['bytes']);
const HEADROOM = 1.02;
/** Of series that are 0 all the time and not in the legend. */
const FLAT = '#9fa7b3';

/** Values of one step upon those of the series below. */
function stacked(series) {
  const sums = new Map();
  return series.map((each) => ({
    ...each,
    points: each.points.map(([second, value]) => {
      const below = sums.get(second) ?? 0;
      const top = below + (Number.isFinite(value) ? value : 0);
      sums.set(second, top);
      return [second, Number.isFinite(value) ? top : Number.NaN, below];
    }),
  }));
}

/** Stretches of points without a gap: no sample for more than a step, or none that is a number. */
function stretches(points, step) {
  const found = [];
  let last;
  for (const point of points) {
    if (!Number.isFinite(point[1])) {
      last = undefined;
      continue;
    }
    if (last === undefined || point[0] - last > step * 1.5) found.push([]);
    found.at(-1).push(point);
    last = point[0];
  }
  return found;
}

function drawLine({ points, color, step }, field, { acrossOf, upOf }) {
  const place = (second, value) => `${round(acrossOf(second))} ${round(upOf(value))}`;
  const fill = (field.custom?.fillOpacity ?? 0) / 100;
  return stretches(points, step)
    .map((stretch) => {
      const top = stretch.map(([second, value]) => place(second, value)).join('L');
      if (stretch.length === 1) {
        const [second, value] = stretch[0];
        return element('circle', { cx: acrossOf(second), cy: upOf(value), r: 1.5, fill: color });
      }
      const line = element('path', {
        d: `M${top}`,
        fill: 'none',
        stroke: color,
        'stroke-width': 1.2,
      });
      if (fill === 0) return line;
      const back = stretch.toReversed().map(([second, , below = 0]) => place(second, below));
      const d = `M${top}L${back.join('L')}Z`;
      return element('path', { d, fill: color, 'fill-opacity': String(fill) }) + line;
    })
    .join('');
}

/** Lines at the values from which on a figure is yellow or red, where the panel shows them. */
function drawThresholds(field, { x, width, upOf }, high) {
  if ((field.custom?.thresholdsStyle?.mode ?? 'off') === 'off') return '';
  const steps = field.thresholds?.steps ?? [];
  return steps
    .filter(({ value }) => value !== null && value <= high)
    .map(({ value }) =>
      element('path', {
        d: `M${round(x)} ${round(upOf(value))}h${round(width)}`,
        stroke: colorAt(value, steps),
        'stroke-dasharray': '6 4',
      }),
    )
    .join('');
}

/** Which series the legend names: a panel may leave out those that have been 0 all the time. */
function inLegend({ fieldConfig: { overrides } }) {
  const hides = overrides.some(
    ({ matcher, properties }) =>
      matcher.options?.reducer === 'allIsZero' &&
      properties.some(({ id, value }) => id === 'custom.hideFrom' && value.legend),
  );
  return ({ points }) => !hides || points.some(([, value]) => value !== 0);
}

/** @returns the plot, and how many of the queries had no data. */
export async function drawSeries(panel, box, { source, marks }) {
  const field = panel.fieldConfig.defaults;
  const asked = await Promise.all(
    panel.targets.map(async ({ expr, legendFormat }) => {
      const { series, step } = await source.range(expr, Math.floor(box.width));
      return series.map(({ labels, points }) => {
        const name = named(labels, legendFormat);
        return { name, points, step };
      });
    }),
  );
  const found = asked.flat();
  const isNamed = inLegend(panel);
  const colors = colorsOf(found.filter(isNamed).map(({ name }) => name));
  const plain = found.map((each) => ({ ...each, color: isNamed(each) ? colors.shift() : FLAT }));
  const empty = asked.filter((series) => series.length === 0).length;
  if (plain.length === 0) return { svg: '', empty, isBlank: true };
  const series = field.custom?.stacking?.mode === 'normal' ? stacked(plain) : plain;
  const values = series
    .flatMap(({ points }) => points.map(([, value]) => value))
    .filter(Number.isFinite);
  const low = field.min ?? Math.min(...values);
  const high = Math.max(...values, field.max ?? -Infinity, low);
  const ticks = niceTicks(low, high * HEADROOM, BYTE_UNITS.has(field.unit) ? 1_024 : 10);
  const write = (value) => written(value, field.unit);
  const left = axisRoom(ticks, write);
  const lines = legendLines(plain.filter(isNamed), box.width);
  const area = {
    ...{ x: box.x + left, y: box.y + 4, width: box.width - left - 4 },
    height: box.height - TIME_AXIS - legendHeight(lines) - 6,
  };
  const { start, end } = source.window;
  const ground = plane(area, [start, end], [ticks[0], ticks.at(-1)]);
  const svg = [
    timeAxis(ground),
    valueAxis(ground, ticks, write),
    drawMarks(ground, marks),
    ...series.toReversed().map((each) => drawLine(each, field, ground)),
    drawThresholds(field, ground, ticks.at(-1)),
    drawLegend(lines, [box.x, box.y + box.height - legendHeight(lines)], box.width),
  ].join('');
  return { svg, empty, isBlank: false };
}
