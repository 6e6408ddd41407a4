// A node's route table: memory, what a change and a match cost, and the longest turns.
import { RouteTable } from '#libs/cluster';
import { KINDS, deviceOf } from './filters.mjs';
import { report, rounded, threadUsOf, usedBytes } from './world.mjs';

const NODES = 50;
const LOOKUPS = 200_000;
const INCARNATION = 1_732_000_000_000;

const nodeOf = (number) => ({ nodeId: `node-${String(number)}`, incarnation: INCARNATION });

/** As they come out of Redis: strings of their own. */
function filtersOf(kind, first, count) {
  const made = Array.from({ length: count }, (_, index) => KINDS[kind](first + index));
  return JSON.parse(JSON.stringify(made));
}

function measure(kind, count) {
  const table = new RouteTable();
  const perNode = Math.ceil(count / NODES);
  const before = usedBytes();
  let applyUs = 0;
  let longestMs = 0;
  let routes = 0;
  for (let number = 0; number < NODES; number += 1) {
    const filters = filtersOf(kind, number * perNode, perNode);
    routes += new Set(filters).size;
    const us = threadUsOf(() => table.replace(nodeOf(number), filters));
    applyUs += us;
    longestMs = Math.max(longestMs, us / 1_000);
  }
  const bytes = usedBytes() - before;
  const topics = Array.from(
    { length: LOOKUPS },
    (_, index) => `devices/${deviceOf((index * 7_919) % count)}/cmd/reboot`,
  );
  const found = [];
  let nodes = 0;
  const matchUs = threadUsOf(() => {
    for (const topic of topics) {
      found.length = 0;
      table.match(topic, found);
      nodes += found.length;
    }
  });
  const filters = table.size;
  let steps;
  const forgetUs = threadUsOf(() => {
    steps = table.dropNode(nodeOf(0));
  });
  const removeUs = threadUsOf(() => Array.from(steps));
  report({
    kind,
    routes,
    filters,
    bytesPerRoute: rounded(bytes / routes),
    heapMB: Math.round(bytes / 1e6),
    residentMB: Math.round(process.memoryUsage.rss() / 1e6),
    applyUs: rounded(applyUs / routes),
    matchUs: rounded(matchUs / LOOKUPS),
    nodesPerMatch: rounded(nodes / LOOKUPS),
    wholeNodeMs: rounded(longestMs),
    forgetNodeMs: rounded(forgetUs / 1_000),
    removeUs: rounded((removeUs * NODES) / routes),
  });
}

measure(process.argv[2], Number(process.argv[3]));
process.exit(0);
