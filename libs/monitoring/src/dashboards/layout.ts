import type { Panel } from './panel.ts';

const COLUMNS = 24;
const NARROW = 8;
const IN_A_LINE = COLUMNS / NARROW;

/** Narrow panels that follow each other, in lines of which none is left half empty: four are two and two, not three and one. */
export function evenWidths(panels: readonly Panel[]): readonly Panel[] {
  const out: Panel[] = [];
  let group: Panel[] = [];
  let used = 0;
  const flush = (): void => {
    out.push(...spread(group));
    group = [];
  };
  for (const panel of panels) {
    // A narrow panel beside a wide one has its place already.
    if (panel.width === NARROW && used === 0) {
      group.push(panel);
      continue;
    }
    flush();
    out.push(panel);
    used = (used + panel.width) % COLUMNS;
  }
  flush();
  return out;
}

function spread(group: readonly Panel[]): readonly Panel[] {
  const lines = Math.ceil(group.length / IN_A_LINE);
  const long = group.length - lines * Math.floor(group.length / lines);
  const out: Panel[] = [];
  for (let line = 0; line < lines; line += 1) {
    const count = Math.floor(group.length / lines) + (line < long ? 1 : 0);
    for (const panel of group.slice(out.length, out.length + count))
      out.push({ ...panel, width: COLUMNS / count });
  }
  return out;
}
