// A dashboard as one picture: its panels where their places on the grid say.
import { drawBars, drawStat } from './figures.mjs';
import { drawHeatmap } from './heatmap.mjs';
import { drawSeries } from './series.mjs';
import { drawTable } from './table.mjs';
import { drawTimeline } from './timeline.mjs';
import { INK, colorNamed, element, fitting, label, picture } from './svg.mjs';

const WIDTH = 1_200;
const COLUMNS = 24;
const LINE_HEIGHT = 27;
const GAP = 6;
const HEAD = 44;
const TITLE_HEIGHT = 24;
const PADDING = 8;

const DRAW = {
  stat: drawStat,
  timeseries: drawSeries,
  heatmap: drawHeatmap,
  'state-timeline': drawTimeline,
  bargauge: drawBars,
  table: drawTable,
};

function boxOf({ x, y, w, h }) {
  const column = (WIDTH - GAP) / COLUMNS;
  return {
    x: GAP + x * column,
    y: HEAD + y * LINE_HEIGHT,
    width: w * column - GAP,
    height: h * LINE_HEIGHT - GAP,
  };
}

const inside = ({ x, y, width, height }) => ({
  ...{ x: x + PADDING, y: y + TITLE_HEIGHT },
  ...{ width: width - 2 * PADDING, height: height - TITLE_HEIGHT - PADDING },
});

async function drawPanel(panel, context) {
  const box = boxOf(panel.gridPos);
  if (panel.type === 'row') {
    const at = [box.x + 4, box.y + box.height - 4];
    return { svg: label(at, `▾ ${panel.title}`, { size: 13, weight: 'bold' }), empty: 0 };
  }
  const draw = DRAW[panel.type];
  if (draw === undefined)
    throw new Error(`${panel.title}: panels of type ${panel.type} are not drawn`);
  const { svg, empty, isBlank } = await draw(panel, inside(box), context);
  const { x, y, width, height } = box;
  const frame = element('rect', {
    x,
    y,
    width,
    height,
    fill: INK.panel,
    stroke: INK.border,
    rx: 2,
  });
  const title = label([x + PADDING, y + 16], fitting(panel.title, 12, width - 16), {
    size: 12,
    weight: 'bold',
  });
  const nothing = label([x + width / 2, y + height / 2 + 6], 'No data', {
    size: 13,
    color: INK.faint,
    anchor: 'middle',
  });
  return { svg: frame + title + (isBlank ? nothing : svg), empty };
}

/** Where each annotation begins: `{second, color}`. */
async function marksOf(annotations, source) {
  const asked = await Promise.all(
    annotations.map(async ({ expr, iconColor }) => {
      const { series, step } = await source.range(expr, 200);
      return series.flatMap(({ points }) =>
        points
          .filter(([second], index) => index === 0 || second - points[index - 1][0] > step * 1.5)
          .map(([second]) => ({ second, color: colorNamed(iconColor) })),
      );
    }),
  );
  return asked.flat();
}

/** @returns the picture as SVG, and the titles of panels of which a query has no data. */
export async function drawBoard(board, source) {
  const marks = await marksOf(board.annotations?.list ?? [], source);
  const drawn = [];
  for (const panel of board.panels) drawn.push([panel, await drawPanel(panel, { source, marks })]);
  const bottom = Math.max(...board.panels.map(({ gridPos: { y, h } }) => y + h));
  const { start, end } = source.window;
  const time = [start, end].map((second) => new Date(second * 1_000).toISOString().slice(11, 16));
  const head =
    label([GAP + 4, 28], board.title, { size: 18, weight: 'bold' }) +
    label([WIDTH - GAP - 4, 28], `${time.join(' to ')} UTC`, {
      size: 12,
      color: INK.faint,
      anchor: 'end',
    });
  return {
    svg: picture(
      WIDTH,
      HEAD + bottom * LINE_HEIGHT + GAP,
      head + drawn.map(([, { svg }]) => svg).join(''),
    ),
    empty: drawn
      .filter(([, { empty }]) => empty > 0)
      .map(([{ title }, { empty }]) => ({ title, empty })),
  };
}
