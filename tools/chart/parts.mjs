// What a run of the chart's tests came to, part by part.
import { basename } from 'node:path';

/** Parts of files whose tests stand alone. */
const OF_FILES = new Map([['content.e2e.mjs', 'what single values come to']]);

/** Each part once: how many tests held and how many did not, and how long they took. */
function countsOf(testResults) {
  const counts = new Map();
  for (const { name, assertionResults, message } of testResults) {
    const file = OF_FILES.get(basename(name)) ?? basename(name);
    // A file that could not be read has no tests, and must not look as if it had none.
    if (assertionResults.length === 0 && message) counts.set(file, { passed: 0, failed: 1, ms: 0 });
    for (const { ancestorTitles, status, duration } of assertionResults) {
      const part = ancestorTitles[0] ?? file;
      const count = counts.get(part) ?? { passed: 0, failed: 0, ms: 0 };
      count[status === 'passed' ? 'passed' : 'failed'] += 1;
      count.ms += duration ?? 0;
      counts.set(part, count);
    }
  }
  return counts;
}

/** Lines for people, of the results that Jest writes as JSON; the last one is the total. */
export function partsOf({ testResults = [] }) {
  const counts = countsOf(testResults);
  const width = Math.max(0, ...[...counts.keys()].map(({ length }) => length));
  const lines = [...counts].map(
    ([part, { passed, failed, ms }]) =>
      `${part.padEnd(width)}  ${String(passed).padStart(4)} passed ${String(failed).padStart(3)} failed ` +
      `${(ms / 1_000).toFixed(1).padStart(7)} s`,
  );
  const sum = (key) => [...counts.values()].reduce((total, each) => total + each[key], 0);
  return ['', ...lines, `total: ${sum('passed')} passed, ${sum('failed')} failed`].join('\n');
}
