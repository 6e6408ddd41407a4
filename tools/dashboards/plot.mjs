// What panels over time have in common: a plane with axes, marks of what happened, and a legend.
import { INK, element, fitting, label, round, widthOf } from './svg.mjs';

const AXIS_SIZE = 10;
const LEGEND_SIZE = 10.5;
const LEGEND_LINE = 15;
const LEGEND_LINES_MAX = 3;
const SWATCH = 16;
const GAP = 12;
const TICKS = 5;
const NICE_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440];
const TIME_LABEL_ROOM = 60;

/** @returns round figures from `low` to just above `high`. */
export function niceTicks(low, high, base = 10) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / TICKS;
  const power = base ** Math.floor(Math.log(rough) / Math.log(base));
  const factors = base === 10 ? [1, 2, 2.5, 5, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];
  const step = power * (factors.find((factor) => factor * power >= rough) ?? base);
  const first = Math.floor(low / step) * step;
  const count = Math.max(Math.ceil((high - first) / step - 1e-9), 1);
  return Array.from({ length: count + 1 }, (_, index) =>
    Number((first + index * step).toPrecision(12)),
  );
}

/** Lines of a legend with what each shows: `{name, color}` with its place. */
export function legendLines(entries, room) {
  const lines = [[]];
  let used = 0;
  for (const entry of entries) {
    const wanted = Math.min(SWATCH + widthOf(entry.name, LEGEND_SIZE) + GAP, room);
    if (used + wanted > room && lines.at(-1).length > 0) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1).push({ ...entry, at: used, wanted });
    used += wanted;
  }
  return lines;
}

/** How many pixels a legend takes. */
export const legendHeight = (lines) => Math.min(lines.length, LEGEND_LINES_MAX) * LEGEND_LINE;

/** @returns the legend below `y`; Grafana scrolls what is more than three lines, here it is counted. */
export function drawLegend(lines, [x, y], room) {
  const shown = lines.slice(0, LEGEND_LINES_MAX);
  const hidden = lines.slice(LEGEND_LINES_MAX).flat().length;
  const parts = shown.flatMap((line, row) =>
    line.map(({ name, color, at, wanted }) => {
      const middle = y + row * LEGEND_LINE + LEGEND_LINE / 2;
      const swatch = { x: x + at, y: middle - 1.5, width: 10, height: 3, fill: color };
      const text = fitting(name, LEGEND_SIZE, wanted - SWATCH + 4);
      const style = { size: LEGEND_SIZE, color: INK.faint };
      return element('rect', swatch) + label([x + at + SWATCH - 2, middle + 3.5], text, style);
    }),
  );
  if (hidden > 0) {
    const at = [x + room, y + LEGEND_LINES_MAX * LEGEND_LINE - 4];
    parts.push(label(at, `+${hidden}`, { size: LEGEND_SIZE, anchor: 'end', weight: 'bold' }));
  }
  return parts.join('');
}

/** A plane from second to second and from value to value, in pixels. */
export function plane({ x, y, width, height }, [start, end], [low, high]) {
  return {
    ...{ x, y, width, height, start, end },
    acrossOf: (second) => x + ((second - start) / (end - start)) * width,
    upOf: (value) => y + height - ((value - low) / (high - low || 1)) * height,
  };
}

/** @returns lines and texts of the axis of time. */
export function timeAxis({ x, y, width, height, start, end, acrossOf }) {
  const least = ((end - start) / 60 / width) * TIME_LABEL_ROOM;
  const minutes = NICE_MINUTES.find((each) => each >= least) ?? NICE_MINUTES.at(-1);
  const parts = [];
  for (let at = Math.ceil(start / 60 / minutes) * minutes * 60; at <= end; at += minutes * 60) {
    const across = acrossOf(at);
    const text = new Date(at * 1_000).toISOString().slice(11, 16);
    parts.push(
      element('path', {
        d: `M${round(across)} ${round(y)}V${round(y + height)}`,
        stroke: INK.grid,
      }),
    );
    if (across > x + 12 && across < x + width - 12) {
      const style = { size: AXIS_SIZE, color: INK.faint, anchor: 'middle' };
      parts.push(label([across, y + height + 13], text, style));
    }
  }
  return parts.join('');
}

/** @returns lines and texts of the axis of values. */
export function valueAxis({ x, width, upOf }, ticks, write) {
  return ticks
    .map((tick) => {
      const up = upOf(tick);
      const line = element('path', {
        d: `M${round(x)} ${round(up)}H${round(x + width)}`,
        stroke: INK.grid,
      });
      const style = { size: AXIS_SIZE, color: INK.faint, anchor: 'end' };
      return line + label([x - 5, up + 3.5], write(tick), style);
    })
    .join('');
}

/** @returns a dashed line where something happened: `{second, color}`. */
export function drawMarks({ y, height, acrossOf }, marks) {
  return marks
    .map(({ second, color }) =>
      element('path', {
        ...{ d: `M${round(acrossOf(second))} ${round(y)}v${round(height)}`, stroke: color },
        ...{ 'stroke-dasharray': '3 3', opacity: '0.7' },
      }),
    )
    .join('');
}

/** How wide the texts of an axis are. */
export const axisRoom = (ticks, write) =>
  Math.max(...ticks.map((tick) => widthOf(write(tick), AXIS_SIZE))) + 8;
