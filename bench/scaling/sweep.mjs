// The sweep of a node whose sessions are in memory: how long a turn of it is, and what all of it takes.
import { encodePacket } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { report, rounded, threadUsOf } from './world.mjs';

const { MemoryNode, quiet } = await import('#libs/testkit');

const ROUNDS = 5;
const AT_ONCE = 1_000;
const TURNS_MAX = 3_000;
const count = Number(process.argv[2]);
const properties = { sessionExpiryInterval: 3_600 };
const sink = {
  ...{ listener: 'memory', remoteAddress: '192.0.2.1', bufferedBytes: 0 },
  ...{ send: () => undefined, hold: () => undefined, end: () => undefined },
};

const clock = () => 0;
const stores = {
  sessions: new LocalSessionStore({ clock }),
  retained: new LocalRetainedStore({ clock }),
};
const { node } = new MemoryNode({ ...stores, limits: { sessionsMax: count } });

async function connectAll() {
  const clients = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    for (let index = first; index < first + AT_ONCE; index += 1) {
      const clientId = `device-${String(index)}`;
      const events = node.accept(sink);
      const connect = {
        kind: 'connect',
        version: 5,
        cleanStart: false,
        keepAlive: 60,
        clientId,
        properties,
      };
      events.received(encodePacket(connect, 5));
      clients.push(events);
    }
    await quiet(4);
  }
  return clients;
}

const middle = (figures) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)];

/** The processor time of each piece of work that is put off to the next turn. */
const pieces = [];
const deferred = globalThis.setImmediate;
globalThis.setImmediate = (run, ...args) =>
  deferred(() => pieces.push(threadUsOf(() => run(...args))));

async function measure(state) {
  const [longest, all] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    globalThis.gc();
    pieces.length = 0;
    pieces.push(threadUsOf(() => node.sweep()));
    await quiet(TURNS_MAX);
    longest.push(Math.max(...pieces) / 1_000);
    all.push(pieces.reduce((sum, us) => sum + us, 0) / 1_000);
  }
  report({
    sweep: state,
    sessions: count,
    longestTurnMs: rounded(middle(longest)),
    allMs: rounded(middle(all)),
  });
}

const clients = await connectAll();
await measure('online');
for (const client of clients.splice(0)) client.ended();
await quiet(100);
await measure('offline');
process.exit(0);
