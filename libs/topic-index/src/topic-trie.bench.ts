/**
 * Prints what filters cost: microseconds per match, add and remove, bytes per filter.
 *
 * Run: npx node --expose-gc --conditions=source libs/topic-index/src/topic-trie.bench.ts
 */
import { MatchCache } from './match-cache.ts';
import { TopicSet } from './topic-set.ts';
import { TopicTrie } from './topic-trie.ts';

const ROUNDS = 200_000;

/** Filters of a fleet: three in four with wildcards, six levels deep; nine wide ones match every topic. */
function filterOf(index: number): string {
  const site = String(index % 1000);
  const device = String(index);
  switch (index % 4) {
    case 0:
      return `fleet/${site}/line/${device}/+/value`;
    case 1:
      return `fleet/${site}/+/${device}/sensor/#`;
    case 2:
      return `fleet/+/line/${device}/sensor/value`;
    default:
      return `fleet/${site}/line/${device}/sensor/value`;
  }
}

const WIDE = [
  '#',
  '+/#',
  'fleet/#',
  'fleet/+/line/#',
  '+/+/+/+/+/+',
  'fleet/+/+/+/sensor/+',
  'fleet/+/line/+/sensor/#',
  '+/+/line/+/+/value',
  'fleet/+/+/+/+/value',
];

function topicOf(index: number): string {
  return `fleet/${String(index % 1000)}/line/${String(index)}/sensor/value`;
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** The microseconds of processor time that one call takes, on average: others on the machine do not count. */
function microsecondsPer(calls: number, work: (index: number) => void): string {
  const start = process.threadCpuUsage();
  for (let index = 0; index < calls; index += 1) work(index);
  const { user, system } = process.threadCpuUsage(start);
  return ((user + system) / calls).toFixed(3);
}

function report(values: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

function measureTrie(count: number): void {
  const filters = Array.from({ length: count }, (_, index) => filterOf(index));
  // Scattered, so that processor caches do not make the index look faster than a node would see it.
  const topics = Array.from({ length: ROUNDS }, (_, index) => topicOf((index * 7919) % count));
  const before = heapBytes();
  const trie = new TopicTrie<object>();
  const add = microsecondsPer(count, (index) => trie.add(filters[index] ?? '', filters));
  const bytes = Math.round((heapBytes() - before) / count);
  for (const filter of WIDE) trie.add(filter, filters);
  const found: object[] = [];
  let matches = 0;
  const match = microsecondsPer(ROUNDS, (index) => {
    found.length = 0;
    trie.match(topics[index] ?? '', found);
    matches += found.length;
  });
  const cache = new MatchCache<object>(10_000);
  for (const topic of topics.slice(0, 5000)) cache.set(topic, trie.version, found);
  const cached = microsecondsPer(ROUNDS, (index) => {
    cache.get(topics[index % 5000] ?? '', trie.version);
  });
  const remove = microsecondsPer(count, (index) => trie.remove(filters[index] ?? '', filters));
  const perMatch = (matches / ROUNDS).toFixed(1);
  report({ index: 'trie', count, perMatch, match, cached, add, remove, bytes });
}

function measureSet(count: number): void {
  const topics = Array.from({ length: count }, (_, index) => topicOf(index));
  const before = heapBytes();
  const set = new TopicSet();
  const add = microsecondsPer(count, (index) => set.add(topics[index] ?? ''));
  const bytes = Math.round((heapBytes() - before) / count);
  const exact = microsecondsPer(ROUNDS, (index) => {
    set.match(topics[(index * 7919) % count] ?? '', 100);
  });
  const wildcard = microsecondsPer(20_000, (index) => {
    set.match(`fleet/${String(index % 1000)}/+/+/sensor/#`, 10);
  });
  const listAll = microsecondsPer(3, () => {
    set.list({ filter: '#', after: undefined, limit: 100 });
  });
  const remove = microsecondsPer(count, (index) => set.delete(topics[index] ?? ''));
  report({ index: 'set', count, exact, wildcard10: wildcard, listAll, add, remove, bytes });
}

for (const count of [10_000, 100_000, 1_000_000]) {
  measureTrie(count);
  measureSet(count);
}
