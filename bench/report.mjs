/** The middle of some figures. */
export function median(figures) {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? sorted[Math.floor(middle)]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A figure with the digits that mean something. */
export function short(figure) {
  if (figure === undefined || Number.isNaN(figure)) return '-';
  if (figure >= 100) return Math.round(figure).toLocaleString('en');
  return figure.toFixed(figure >= 10 ? 1 : 2);
}

const rounded = (figure) => Number(figure.toPrecision(4));

/** What one server (or protocol version) did in all rounds of a scenario. */
function summaryOf(rounds) {
  const sum = (name) => rounds.reduce((total, { result }) => total + (result[name] ?? 0), 0);
  const figures = rounds.map(({ figure }) => figure);
  return {
    median: rounded(median(figures)),
    least: rounded(Math.min(...figures)),
    most: rounded(Math.max(...figures)),
    perSecond: Math.round(median(rounds.map(({ result }) => rateOf(result)))),
    lost: sum('lost'),
    duplicated: sum('duplicated'),
    dropped: sum('dropped'),
  };
}

const rateOf = (result) => result.recv_per_s || result.sent_per_s || result.conn_per_s || 0;

/** Everything about a scenario in one object: what --json prints. `rounds` maps a label to its results. */
export function resultOf(scenario, rounds) {
  const labels = [...rounds.keys()];
  const summaries = Object.fromEntries(
    labels.map((label) => [label, summaryOf(rounds.get(label))]),
  );
  const [own, reference] = labels;
  const ratio = reference && rounded(summaries[own].median / summaries[reference].median);
  const { name, title, unit, bar, stretch, barOwn } = scenario;
  const isMet = barOwn === undefined ? undefined : summaries[own].median <= barOwn;
  return {
    scenario: name,
    title,
    unit,
    rounds: rounds.get(own).length,
    ...summaries,
    ratio,
    bar,
    stretch,
    barOwn,
    met: isMet ?? (ratio === undefined || bar === undefined ? undefined : ratio <= bar),
  };
}

/** The same for people: one line per server. */
export function linesOf(result, labels) {
  const head = `${result.scenario}: ${result.title} (${result.unit}, median of ${result.rounds})`;
  const rows = labels.map((label) => {
    const { median: middle, least, most, perSecond, lost, duplicated } = result[label];
    const range = `${short(least)} to ${short(most)}`;
    const faults = lost + duplicated > 0 ? `  lost ${lost}, duplicated ${duplicated}` : '';
    const rate = `${short(perSecond)}/s`;
    return `  ${label.padEnd(12)} ${short(middle).padStart(8)}  ${range.padEnd(20)} ${rate.padStart(12)}${faults}`;
  });
  return [head, ...rows, ...verdictOf(result)];
}

function verdictOf({ ratio, bar, stretch, barOwn, met }) {
  const isMet = met ? 'met' : 'MISSED';
  if (barOwn !== undefined) return [`  bar ${short(barOwn)}: ${isMet}`];
  if (ratio === undefined) return [];
  const wish = stretch === undefined ? '' : `, stretch ${stretch}`;
  return [`  ratio ${ratio}, bar ${bar}: ${isMet}${wish}`];
}
