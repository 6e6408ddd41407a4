// What state each series was in, over time: a lane for each.
import { named } from './prometheus.mjs';
import { plane, timeAxis } from './plot.mjs';
import { INK, colorAt, colorNamed, element, fitting, label, widthOf } from './svg.mjs';
import { written } from './units.mjs';

const TIME_AXIS = 18;
const SIZE = 10.5;
const LANE_HEIGHT_MAX = 34;
const NAMES_SHARE_MAX = 0.4;

/** @returns the text and the colour that a panel gives a value. */
export function mapped(value, field) {
  const option = (field.mappings ?? [])
    .map(({ type, options }) => {
      if (type === 'special' && options.match === 'nan')
        return Number.isNaN(value) ? options.result : undefined;
      return options[String(value)];
    })
    .find(Boolean);
  return {
    text: option?.text ?? written(value, field.unit),
    color:
      option?.color === undefined
        ? colorAt(value, field.thresholds?.steps)
        : colorNamed(option.color),
  };
}

/** Stretches of the same value: `{from, to, value}`. */
function stretchesOf(points, step) {
  const found = [];
  for (const [second, value] of points) {
    const last = found.at(-1);
    const isNext = last !== undefined && second - last.to <= step * 0.5;
    if (isNext && last.value === value) last.to = second + step;
    else found.push({ from: second, to: second + step, value });
  }
  return found;
}

function drawLane({ points, name, step }, field, { ground, top, height }) {
  const { end, acrossOf, x } = ground;
  const bars = stretchesOf(points, step).map(({ from, to, value }) => {
    const { text, color } = mapped(value, field);
    const [left, right] = [acrossOf(from), acrossOf(Math.min(to, end))];
    const width = Math.max(right - left - 1, 1);
    const bar = {
      x: left,
      y: top + 2,
      width,
      height: height - 4,
      fill: color,
      'fill-opacity': '0.8',
    };
    const written =
      widthOf(text, SIZE) + 8 > width
        ? ''
        : label([left + 4, top + height / 2 + 4], text, {
            size: SIZE,
            color: '#ffffff',
            weight: 'bold',
          });
    return element('rect', bar) + written;
  });
  const style = { size: SIZE, color: INK.faint, anchor: 'end' };
  return bars.join('') + label([x - 6, top + height / 2 + 4], name, style);
}

/** @returns the plot, and how many of the queries had no data. */
export async function drawTimeline(panel, box, { source }) {
  const field = panel.fieldConfig.defaults;
  const asked = await Promise.all(
    panel.targets.map(async ({ expr, legendFormat }) => {
      const { series, step } = await source.range(expr, Math.floor(box.width));
      return series.map(({ labels, points }) => ({
        name: named(labels, legendFormat),
        points,
        step,
      }));
    }),
  );
  const lanes = asked.flat().toSorted((one, other) => one.name.localeCompare(other.name));
  const empty = asked.filter((series) => series.length === 0).length;
  if (lanes.length === 0) return { svg: '', empty, isBlank: true };
  const names = Math.min(
    Math.max(...lanes.map(({ name }) => widthOf(name, SIZE))) + 10,
    box.width * NAMES_SHARE_MAX,
  );
  const area = {
    x: box.x + names,
    y: box.y,
    width: box.width - names - 4,
    height: box.height - TIME_AXIS,
  };
  const { start, end } = source.window;
  const ground = plane(area, [start, end], [0, 1]);
  const height = Math.min(area.height / lanes.length, LANE_HEIGHT_MAX);
  const drawn = lanes.map((lane, index) =>
    drawLane({ ...lane, name: fitting(lane.name, SIZE, names - 8) }, field, {
      ...{ ground, height, top: area.y + index * height },
    }),
  );
  return { svg: timeAxis(ground) + drawn.join(''), empty, isBlank: false };
}
