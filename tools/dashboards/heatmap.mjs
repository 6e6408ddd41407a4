// The distribution of a histogram over time: dark where most is.
import { axisRoom, plane, timeAxis } from './plot.mjs';
import { INK, element, label, round } from './svg.mjs';
import { written } from './units.mjs';

const TIME_AXIS = 18;
const LABEL_ROOM = 13;
const LIGHT = [222, 235, 247];
const DARK = [8, 48, 107];
const SCALE_WIDTH = 90;

const shade = (share) =>
  `rgb(${LIGHT.map((from, index) => Math.round(from + (DARK[index] - from) * share)).join()})`;

/** Counts of each bucket alone, from sums over all that are no larger. */
function bucketsOf(series) {
  const sorted = series
    .map(({ labels, points }) => ({ bound: Number(labels.le.replace('+Inf', 'Infinity')), points }))
    .toSorted((one, other) => one.bound - other.bound);
  return sorted.map(({ bound, points }, index) => {
    const below = new Map(index === 0 ? [] : sorted[index - 1].points);
    return {
      bound,
      cells: points.map(([second, value]) => [
        second,
        Math.max(value - (below.get(second) ?? 0), 0),
      ]),
    };
  });
}

function drawScale(most, { x, y }) {
  const steps = Array.from({ length: 10 }, (_, index) =>
    element('rect', {
      ...{ x: x + (index * SCALE_WIDTH) / 10, y, width: SCALE_WIDTH / 10, height: 6 },
      fill: shade(index / 9),
    }),
  );
  const style = { size: 10, color: INK.faint };
  const text = label([x + SCALE_WIDTH + 6, y + 7], `1 … ${written(most)} in each step`, style);
  return steps.join('') + text;
}

/** Which bounds are written beside their rows: as many as there is room for. */
function drawBounds(buckets, { x, y, rowHeight, write }) {
  const every = Math.max(Math.ceil(LABEL_ROOM / rowHeight), 1);
  return buckets
    .map(({ bound }, index) => {
      if (index % every !== 0) return '';
      const at = [x - 5, y - (index + 1) * rowHeight + 4];
      return label(at, write(bound), { size: 10, color: INK.faint, anchor: 'end' });
    })
    .join('');
}

/** @returns the plot, and how many of the queries had no data. */
export async function drawHeatmap(panel, box, { source }) {
  const { series, step } = await source.range(panel.targets[0].expr, Math.floor(box.width / 6));
  if (series.length === 0) return { svg: '', empty: 1, isBlank: true };
  const unit = panel.options.yAxis.unit;
  const buckets = bucketsOf(series);
  const write = (value) => written(value, unit);
  const left = axisRoom(
    buckets.map(({ bound }) => bound),
    write,
  );
  const area = {
    ...{ x: box.x + left, y: box.y + 6, width: box.width - left - 4 },
    height: box.height - TIME_AXIS - 26,
  };
  const { start, end } = source.window;
  const ground = plane(area, [start, end], [0, buckets.length]);
  const rowHeight = area.height / buckets.length;
  const most = Math.max(...buckets.flatMap(({ cells }) => cells.map(([, count]) => count)));
  const width = (step / (end - start)) * area.width;
  const cells = buckets.flatMap(({ cells: row }, index) =>
    row
      .filter(([second, count]) => count > 0.5 && second + step <= end + 1)
      .map(([second, count]) =>
        element('rect', {
          ...{ x: ground.acrossOf(second), y: ground.upOf(index + 1) + 0.5 },
          ...{ width: width - 0.6, height: rowHeight - 1, fill: shade(Math.sqrt(count / most)) },
        }),
      ),
  );
  const frame = `M${round(area.x)} ${round(area.y)}v${round(area.height)}h${round(area.width)}`;
  const svg = [
    timeAxis(ground),
    element('path', { d: frame, fill: 'none', stroke: INK.grid }),
    ...cells,
    drawBounds(buckets, { x: area.x, y: area.y + area.height, rowHeight, write }),
    drawScale(most, { x: area.x, y: box.y + box.height - 8 }),
  ].join('');
  return { svg, empty: 0, isBlank: most === 0 };
}
