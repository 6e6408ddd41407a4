import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, fakeClock, quiet } from '#libs/testkit';
import { ClientMemory } from './client-memory.ts';
import { FuzzedClient, type FuzzedWorld } from './fuzzed-client.ts';
import { Random } from './random.ts';

const CLIENT_IDS = ['c0', 'c1', 'c2'];
const STEPS_MAX = 60;
const INFLIGHT_MAX = 3;
const LONG_MS = 10 * 365 * 86_400_000;
/** Small, so that a sequence meets them. */
const LIMITS = {
  inflightMax: INFLIGHT_MAX,
  receiveMaximum: 4,
  topicAliasMaximum: 2,
  topicAliasesSentMax: 2,
  packetBytesMax: 2_000,
  queueMessagesMax: 8,
  subscriptionsMax: 6,
  retainedMessagesMax: 3,
  sessionExpirySecondsMax: 1_000,
  persistentSessionMaxAgeSeconds: 50,
  keepAliveSecondsMax: 100,
};

/** What a sequence came to. */
export interface SequenceResult {
  readonly packetsReceived: number;
  readonly packetsSent: number;
}

/**
 * Lets clients do as they like with a node, and checks that it obeys MQTT towards each of them, and that nothing is
 * left of them in the end.
 *
 * @param trace - is told of each packet.
 * @throws Error that says what the node did wrong.
 */
export async function runSequence(
  seed: number,
  index: number,
  trace?: (line: string) => void,
): Promise<SequenceResult> {
  const random = new Random(seed, index);
  const memory = openNode(random);
  const memories = new Map<string, ClientMemory>();
  let texts = 0;
  let violation: unknown;
  const world: FuzzedWorld = {
    memory,
    random,
    inflightMax: INFLIGHT_MAX,
    memoryOf(clientId) {
      const known = clientId === '' ? undefined : memories.get(clientId);
      const own = known ?? new ClientMemory();
      memories.set(clientId, own);
      return own;
    },
    trace,
    repeated: new Set(),
    refused: new Set(),
    violated: (found) => void (violation ??= found),
    nextText: (publisher, qos) => `${publisher} ${String((texts += 1))} ${String(qos)}`,
  };
  const clients: FuzzedClient[] = [];
  for (let steps = 1 + random.below(STEPS_MAX); steps > 0; steps -= 1) {
    await step(world, clients);
    if (violation !== undefined) throw violation;
  }
  for (const client of clients) client.cut();
  await quiet(4);
  if (violation !== undefined) throw violation;
  await checkNothingIsLeft(memory);
  const count = (name: string): number => memory.counts.get(name) ?? 0;
  return { packetsReceived: count('packetReceived'), packetsSent: count('packetSent') };
}

function openNode(random: Random): MemoryNode {
  const clock = fakeClock();
  return new MemoryNode({
    clock,
    sessions: new LocalSessionStore({ clock: clock.now }),
    retained: new LocalRetainedStore({ clock: clock.now }),
    limits: LIMITS,
    rules: {
      qosMax: random.oneIn(8) ? 1 : 2,
      retain: !random.oneIn(8),
      wildcardSubscriptions: !random.oneIn(8),
      payloadFormatCheck: random.oneIn(2),
    },
  });
}

async function step(world: FuzzedWorld, clients: FuzzedClient[]): Promise<void> {
  const { random, memory } = world;
  const open = clients.filter(({ isOver }) => !isOver);
  if (open.length === 0 || random.oneIn(12)) {
    const client = new FuzzedClient(world);
    clients.push(client);
    client.connect(random.oneIn(20) ? '' : random.pick(CLIENT_IDS));
  } else if (random.oneIn(25)) {
    memory.sweepAfter(random.pick([500, 1_500, 3_000, 60_000, 200_000]));
  } else {
    random.pick(open).act();
  }
  if (random.oneIn(2)) await quiet(1 + random.below(3));
}

/** When every client is gone for good, so are its session, its subscriptions and its connection. */
async function checkNothingIsLeft(memory: MemoryNode): Promise<void> {
  memory.sweepAfter(LONG_MS);
  await quiet(4);
  const { connections, sessions, subscriptions } = memory.node.admin.status();
  if (connections + sessions + subscriptions > 0) {
    throw new Error(`left: ${JSON.stringify({ connections, sessions, subscriptions })}`);
  }
  const errors = memory.log.lines.filter(({ level }) => level === 'error');
  if (errors.length > 0) throw new Error(`logged: ${JSON.stringify(errors[0])}`);
}
