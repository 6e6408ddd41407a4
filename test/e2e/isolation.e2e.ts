import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { Flooder, Receiver } from './harness/misbehaving.ts';
import { Publisher } from './harness/publisher.ts';
import { report } from './harness/report.ts';
import { Scope } from './harness/scope.ts';

const MEBIBYTE = 1024 * 1024;
const QUEUE_MESSAGES_MAX = 100;
const QUEUE_BYTES_MAX = 2 * MEBIBYTE;
const SETTINGS = {
  LIMITS_QUEUE_MESSAGES_MAX: QUEUE_MESSAGES_MAX,
  LIMITS_QUEUE_BYTES_MAX: QUEUE_BYTES_MAX,
  LIMITS_SOCKET_BUFFER_BYTES_MAX: MEBIBYTE / 4,
};
/** With a small heap garbage is collected soon, so that what grows is what is kept. */
const NODE_ARGS = ['--max-old-space-size=80', '--max-semi-space-size=4'];
/** The bounds of the client that misbehaves, and garbage that is not collected yet. */
const GROWTH_BYTES_MAX = 48 * MEBIBYTE;

/** 128 MiB, far above what the bounds, the kernel and the growth allowed can hold. */
const FEED = { messages: 8_000, bytes: 16_384, batch: 40 };
const WARM_UP_MESSAGES = 400;
const ALONGSIDE_MESSAGES = 200;
const DEADLINE_MS = 60_000;
const DROPPED = ['skein_broker_deliveries_dropped_total', 'reason="queue_full"'] as const;

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

/** Clients that behave, beside the one that does not: a publisher and a subscriber that has to see all of it in order. */
class Others {
  readonly #publisher: Publisher;
  readonly #subscriber: Client;

  private constructor(publisher: Client, subscriber: Client) {
    this.#publisher = new Publisher(publisher, ['others/news']);
    this.#subscriber = subscriber;
  }

  static async join(node: Broker): Promise<Others> {
    const subscriber = await Client.connect(scope, node.url);
    await subscriber.subscribe('others/news', 1);
    return new Others(await Client.connect(scope, node.url), subscriber);
  }

  /** Resolves when so many more messages have come. */
  async goOn(messages: number): Promise<void> {
    await this.#subscriber.receives(this.#subscriber.received.length + messages, DEADLINE_MS);
  }

  /** Ends the traffic. The subscriber has to have what was acknowledged, once and in order. */
  async end(): Promise<{
    readonly acknowledged: readonly string[];
    readonly received: readonly string[];
  }> {
    await this.#publisher.stop();
    const { acknowledged } = this.#publisher;
    await this.#subscriber.receives(acknowledged.length);
    return { acknowledged, received: this.#subscriber.payloads };
  }
}

/** Publishes numbered messages, every other one with QoS 1, and counts on from call to call. */
class Feed {
  sent = 0;
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async send(messages: number): Promise<void> {
    const end = this.sent + messages;
    while (this.sent < end) {
      const batch = Array.from({ length: FEED.batch }, (_, index) => this.sent + index);
      this.sent += batch.length;
      await Promise.all(batch.map((number) => this.#publish(number)));
    }
  }

  #publish(number: number): Promise<void> {
    const qos = number % 2 === 0 ? 0 : 1;
    const payload = String(number).padEnd(FEED.bytes, ' ');
    return this.#client.publish(`feed/${String(qos)}`, payload, { qos });
  }
}

function residentBytes(node: Broker): Promise<number> {
  return node.ops.metric('process_resident_memory_bytes');
}

/** Waits until every message that was fed has been received or dropped, each once; returns how many were dropped. */
async function settled(node: Broker, receiver: Receiver, feed: Feed): Promise<number> {
  let dropped = 0;
  await until(async () => {
    dropped = await node.ops.metric(...DROPPED);
    return receiver.receivedCount + dropped === feed.sent;
  }, DEADLINE_MS);
  return dropped;
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));
}

describe('a receiver that misbehaves', () => {
  it.each([
    ['reads nothing', 'frozen'],
    ['reads 1 KB/s', 'slow'],
    ['acknowledges nothing', 'silent'],
  ] as const)('and %s harms only itself, and goes on where its queue allows', async (_, how) => {
    const node = await Broker.start(scope, SETTINGS, { nodeArgs: NODE_ARGS });
    const others = await Others.join(node);
    const receiver = await Receiver.open(scope, node.port, 'feed/#');
    const feed = new Feed(await Client.connect(scope, node.url));
    await feed.send(WARM_UP_MESSAGES);
    await settled(node, receiver, feed);
    const droppedBefore = await node.ops.metric(...DROPPED);
    const before = await residentBytes(node);

    receiver.behave(how);
    await feed.send(FEED.messages);
    await others.goOn(ALONGSIDE_MESSAGES);
    const grown = (await residentBytes(node)) - before;
    const queued = await node.ops.metric('skein_broker_session_queue_messages');
    const queuedBytes = await node.ops.metric('skein_broker_session_queue_bytes');
    receiver.behave('normal');
    const dropped = await settled(node, receiver, feed);

    expect(dropped).toBeGreaterThan(droppedBefore);
    expect([...receiver.numbers.values()].every(isAscending)).toBe(true);
    expect(queued).toBeLessThanOrEqual(QUEUE_MESSAGES_MAX);
    expect(queuedBytes).toBeLessThanOrEqual(QUEUE_BYTES_MAX);
    expect(grown).toBeLessThan(GROWTH_BYTES_MAX);

    const { acknowledged, received } = await others.end();
    expect(received).toEqual(acknowledged);
    report(
      `${how} receiver: ${String(feed.sent)} sent, ${String(dropped)} dropped, the others exchanged ${String(received.length)}, ` +
        `memory grew by ${(grown / MEBIBYTE).toFixed(1)} MiB`,
    );
    await node.stop();
  });
});

describe('a publisher that floods', () => {
  it('is read in shares, and the others go on', async () => {
    const node = await Broker.start(scope, SETTINGS, { nodeArgs: NODE_ARGS });
    const others = await Others.join(node);
    const flooder = await Flooder.open(scope, node.port, 'flood/all');

    await others.goOn(ALONGSIDE_MESSAGES);

    const shares = await node.ops.metric('skein_broker_reading_held_total', 'reason="share"');
    expect(shares).toBeGreaterThan(0);
    await flooder.stop();
    const { acknowledged, received } = await others.end();
    expect(received).toEqual(acknowledged);
    report(`flood: ${String(shares)} shares, the others exchanged ${String(received.length)}`);
    await node.stop();
  });

  it('does not end the node when the subscriber that cannot follow leaves', async () => {
    const node = await Broker.start(scope, SETTINGS, { nodeArgs: NODE_ARGS });
    const others = await Others.join(node);
    const receiver = await Receiver.open(scope, node.port, 'flood/#');
    receiver.behave('frozen');
    const flooder = await Flooder.open(scope, node.port, 'flood/all');
    await until(async () => (await node.ops.metric(...DROPPED)) > 0, DEADLINE_MS);

    receiver.leave();
    await others.goOn(ALONGSIDE_MESSAGES);

    const again = await Receiver.open(scope, node.port, 'flood/#');
    await until(() => again.receivedCount > 0, DEADLINE_MS);
    expect(node.child.isRunning).toBe(true);
    expect(node.child.stderr).toBe('');
    await flooder.stop();
    again.leave();
    const { acknowledged, received } = await others.end();
    expect(received).toEqual(acknowledged);
    await node.stop();
  });
});
