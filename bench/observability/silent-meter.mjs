// Loaded before a node (--import): its meter counts nothing. Gauges, scrapes and what the node asks of its meter still work.
import { pathToFileURL } from 'node:url';

const { BENCH_BUILD } = process.env;
const { PromMeter } = await import(
  `${pathToFileURL(BENCH_BUILD).href}/libs/metrics-prom/src/index.js`
);

/** What gives something back, or is no count. */
const KEPT = new Set([
  'constructor',
  'expose',
  'samples',
  'takeLoad',
  'spoolShare',
  'totals',
  'gauges',
]);

const nothing = () => undefined;

for (const name of Object.getOwnPropertyNames(PromMeter.prototype))
  if (!KEPT.has(name)) PromMeter.prototype[name] = nothing;
