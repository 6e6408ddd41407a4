// A table of the last values of its queries, joined and renamed by the transformations that our dashboards use.
import { mapped } from './timeline.mjs';
import { INK, element, fitting, label, round, widthOf } from './svg.mjs';

const LINE_HEIGHT = 24;
const SIZE = 11.5;
const KNOWN = new Set(['joinByField', 'organize', 'sortBy', 'labelsToFields']);

const optionsOf = (panel, id) => panel.transformations?.find((each) => each.id === id)?.options;

/** The answers as lines by the label that they are joined by, with columns named as in Grafana. */
function join(answers, by) {
  const columns = new Set([by]);
  const lines = [];
  for (const [index, { refId, samples }] of answers.entries()) {
    columns.add(answers.length === 1 ? 'Time' : `Time ${index + 1}`);
    for (const { labels, value } of samples) {
      let line = answers.length === 1 ? undefined : lines.find((each) => each[by] === labels[by]);
      if (line === undefined) lines.push((line = { [by]: labels[by] }));
      for (const [name, text] of Object.entries(labels)) {
        columns.add(name);
        line[name] ??= text;
      }
      columns.add(`Value #${refId}`);
      line[`Value #${refId}`] = value;
    }
  }
  return { columns: [...columns], lines };
}

/** Columns by their order and names, without those that are left out. */
function organized(columns, { excludeByName = {}, indexByName = {}, renameByName = {} } = {}) {
  return columns
    .filter((name) => excludeByName[name] !== true)
    .toSorted(
      (one, other) => (indexByName[one] ?? columns.length) - (indexByName[other] ?? columns.length),
    )
    .map((name) => ({ name, title: renameByName[name] ?? name }));
}

/** How a panel wants the values of a column: its own wishes upon those of all. */
function fieldOf(panel, title) {
  const { defaults, overrides } = panel.fieldConfig;
  const own = overrides
    .filter(({ matcher }) => matcher.id === 'byName' && matcher.options === title)
    .flatMap(({ properties }) => properties.map(({ id, value }) => [id, value]));
  return { ...defaults, ...Object.fromEntries(own) };
}

function cellOf(value, field) {
  if (value === undefined) return { text: '', color: INK.text };
  if (typeof value === 'string') return { text: value, color: INK.text };
  const { text, color } = mapped(value, field);
  return { text, color: field['custom.cellOptions']?.type === 'color-text' ? color : INK.text };
}

/** @returns the table, and how many of the queries had no data. */
export async function drawTable(panel, box, { source }) {
  for (const { id } of panel.transformations ?? [])
    if (!KNOWN.has(id)) throw new Error(`${panel.title}: the transformation ${id} is not drawn`);
  const answers = await Promise.all(
    panel.targets.map(async ({ expr, refId }) => ({ refId, samples: await source.now(expr) })),
  );
  const empty = answers.filter(({ samples }) => samples.length === 0).length;
  const { columns, lines } = join(answers, optionsOf(panel, 'joinByField')?.byField);
  if (lines.length === 0) return { svg: '', empty, isBlank: true };
  const shown = organized(columns, optionsOf(panel, 'organize'));
  sort(lines, optionsOf(panel, 'sortBy')?.sort?.[0], shown);
  const width = box.width / shown.length;
  const room = Math.floor(box.height / LINE_HEIGHT) - 1;
  const rows = [shown.map(({ title }) => ({ text: title, color: '#1f62e0' }))];
  for (const line of lines.slice(0, room))
    rows.push(shown.map(({ name, title }) => cellOf(line[name], fieldOf(panel, title))));
  const drawn = rows.map((cells, row) => {
    const y = box.y + row * LINE_HEIGHT;
    const rule = `M${round(box.x)} ${round(y + LINE_HEIGHT)}h${round(box.width)}`;
    const texts = cells.map(({ text, color }, column) => {
      const style = { size: SIZE, color, weight: row === 0 ? 'bold' : undefined };
      return label([box.x + column * width + 4, y + 16], fitting(text, SIZE, width - 8), style);
    });
    return element('path', { d: rule, stroke: INK.grid }) + texts.join('');
  });
  const more = lines.length - room;
  if (more > 0) {
    const text = `+${more} more`;
    drawn.push(
      label([box.x + box.width - widthOf(text, SIZE), box.y + box.height], text, { size: SIZE }),
    );
  }
  return { svg: drawn.join(''), empty, isBlank: false };
}

function sort(lines, wish, shown) {
  if (wish === undefined) return;
  const name = shown.find(({ title }) => title === wish.field)?.name ?? wish.field;
  lines.sort((one, other) => String(one[name] ?? '').localeCompare(String(other[name] ?? '')));
  if (wish.desc === true) lines.reverse();
}
