/**
 * Prints what authorization costs: microseconds per publish from the memory of a connection and for a new topic, and what a
 * million rules of 100,000 users take.
 *
 * Run: npx node --expose-gc --conditions=source libs/access/src/acl/acl.bench.ts
 */
import type { Principal } from '../principal.ts';
import { Acl } from './acl.ts';
import type { AclRule } from './acl-rule.ts';
import { AccessControl } from './client-access.ts';

const CALLS = 2_000_000;
const USERS = 100_000;
const RULES_PER_USER = 10;
const TOPICS = Array.from({ length: 64 }, (_, index) => `site/${String(index)}/u7/c7/value`);

function principalOf(user: string): Principal {
  const own = { address: '192.0.2.1', listener: 'tcp', groups: ['fleet'], rules: [] };
  return { user, clientId: 'c7', ...own };
}

function rulesOf(user: string): readonly AclRule[] {
  return Array.from({ length: RULES_PER_USER }, (_, index) => ({
    effect: index === 0 ? 'deny' : 'allow',
    who: { users: [user] },
    actions: ['publish', 'subscribe'],
    topics: [index === RULES_PER_USER - 1 ? `site/+/${user}/#` : `own/${user}/${String(index)}/+`],
  }));
}

function* allRules(): Generator<AclRule> {
  for (let index = 0; index < USERS; index += 1) yield* rulesOf(`u${String(index)}`);
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** The microseconds of processor time that one call takes, on average: others on the machine do not count. */
function microsecondsPer(calls: number, work: (index: number) => void): number {
  const start = process.threadCpuUsage();
  for (let index = 0; index < calls; index += 1) work(index);
  const { user, system } = process.threadCpuUsage(start);
  return Number(((user + system) / calls).toFixed(3));
}

function report(values: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

const before = heapBytes();
let acl: Acl | undefined;
const buildSeconds = microsecondsPer(1, () => (acl = new Acl(allRules(), 'deny'))) / 1e6;
const built = acl ?? new Acl([], 'deny');
report({
  bench: 'acl-million-rules',
  users: USERS,
  rules: USERS * RULES_PER_USER,
  megabytes: Math.round((heapBytes() - before) / 1_048_576),
  buildSeconds,
  findRulesOfUserUs: microsecondsPer(20_000, (index) => {
    built.for(principalOf(`u${String((index * 7) % USERS)}`));
  }),
});

const control = new AccessControl(built);
const access = control.admit(principalOf('u7'));
let allowed = 0;
const ask = (index: number): void => {
  if (access.mayPublish(TOPICS[index % TOPICS.length] ?? '', 0, false)) allowed += 1;
};
microsecondsPer(200_000, ask);
report({ bench: 'acl-cached-publish', topics: TOPICS.length, us: microsecondsPer(CALLS, ask) });
report({
  bench: 'acl-first-touch',
  rules: RULES_PER_USER,
  us: microsecondsPer(200_000, (index) => {
    if (access.mayPublish(`site/${String(index)}/u7/c7/value`, 0, false)) allowed += 1;
  }),
});
report({ bench: 'acl-allowed', calls: allowed });
