import { setTimeout as delay } from 'node:timers/promises';
import { until } from '#libs/testkit';
import { Device, type Role } from './device.ts';
import type { History } from './history.ts';
import { topicOf } from './payload.ts';
import { Publisher } from './publisher.ts';
import { Receiver } from './receiver.ts';

const START_DEADLINE_MS = 60_000;
/** Connections that a fleet opens in one tick. */
const CONNECTS_PER_TICK = 20;
const PACE_MS = 5;
const TICK_MS = 50;
/** A client that hears nothing for so long takes its node for dead. */
const KEEP_ALIVE_MS = 5_000;
const DRAIN_DEADLINE_MS = 120_000;
const LOOK_MS = 500;

/** A durable subscriber of a plan. */
export interface ReceiverPlan {
  readonly name: string;
  /** Index of the node to which it connects first. */
  readonly home: number;
  /** The publishers to whose topics it subscribes. @defaultValue all, by a wildcard */
  readonly publishers?: readonly number[];
  /** It subscribes and leaves before the load begins, and comes back after it. @defaultValue false */
  readonly isOffline?: boolean;
  /** It is not counted for the time to recover, since it does not read all the time. @defaultValue false */
  readonly isSlow?: boolean;
  /** Whether it comes back when its connection ends. @defaultValue true */
  readonly reconnects?: boolean;
}

/** How a client is made. */
export interface ClientOptions {
  readonly role: Role;
  /** Index of the node to which it connects first. */
  readonly home: number;
  readonly version: 4 | 5;
  /** @defaultValue true */
  readonly reconnects?: boolean | undefined;
  /** Topic of its will. @defaultValue that of the plan for all, if there is one */
  readonly will?: string | undefined;
}

/** Who is in a fleet. Every second publisher uses QoS 2, every second pair of clients MQTT 5. */
export interface FleetPlan {
  readonly publishers: number;
  /** Indexes of the nodes to which publishers connect first, in turn. */
  readonly publisherHomes: readonly number[];
  readonly receivers: readonly ReceiverPlan[];
  /** Below which topic each client has a will. @defaultValue none has one */
  readonly wills?: string;
  /** Silence after which clients give a connection up. @defaultValue five seconds */
  readonly keepAliveMs?: number;
}

/** How a fleet is made. */
export interface FleetOptions {
  readonly plan: FleetPlan;
  /** The MQTT ports of the nodes. */
  readonly ports: readonly number[];
  /** Messages per second, of all publishers together. */
  readonly rate: number;
  readonly random: () => number;
}

/** A durable subscriber and its connection. */
export interface Subscriber {
  readonly plan: ReceiverPlan;
  readonly receiver: Receiver;
  readonly device: Device;
}

/** The version of MQTT that a client of a fleet speaks. */
export const versionOf = (index: number): 4 | 5 => (index % 4 < 2 ? 4 : 5);

/** Publishers and durable subscribers that reconnect as real ones do, and the history of what they did and saw. */
export class Fleet {
  readonly publishers: Publisher[] = [];
  readonly subscribers: Subscriber[] = [];
  readonly faultsAtMs: number[] = [];
  readonly #options: FleetOptions;
  readonly #devices: Device[] = [];
  /** How often publishers have moved on. */
  #moves = 0;
  #ticker: NodeJS.Timeout | undefined;
  #pacer: NodeJS.Timeout | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    const { publishers, receivers } = options.plan;
    for (let index = 0; index < publishers; index += 1) {
      const publisher = new Publisher(index, index % 2 === 0 ? 1 : 2);
      const home = this.#homeOf(index);
      this.publishers.push(publisher);
      const version = versionOf(index);
      this.addDevice(`publisher-${String(index)}`, { role: publisher, home, version });
    }
    for (const plan of receivers) this.#addSubscriber(plan);
  }

  get history(): History {
    return {
      publications: this.publishers.map(({ publications }) => publications),
      receivers: this.subscribers.map(({ receiver }) => receiver),
      faultsAtMs: this.faultsAtMs,
    };
  }

  /** All clients, in the order in which they were made. */
  get devices(): readonly Device[] {
    return this.#devices;
  }

  /** Sessions that the broker did not know when their client came back. */
  get sessionsLost(): number {
    const clients = [...this.publishers, ...this.subscribers.map(({ receiver }) => receiver)];
    return clients.reduce((sum, { sessionsLost }) => sum + sessionsLost, 0);
  }

  /** Why connections have ended, with how often: as text. */
  get ends(): string {
    const counts = new Map<string, number>();
    for (const end of this.#devices.flatMap(({ ends }) => ends)) {
      counts.set(end, (counts.get(end) ?? 0) + 1);
    }
    return [...counts].map(([end, count]) => `${end} x ${String(count)}`).join(', ');
  }

  /** The port of a node, then those of the others. */
  portsFrom(home: number): readonly number[] {
    const { ports } = this.#options;
    return ports.map((_, index) => ports[(home + index) % ports.length] ?? 0);
  }

  /** @throws Error when there is no such subscriber. */
  subscriber(name: string): Subscriber {
    const found = this.subscribers.find(({ plan }) => plan.name === name);
    if (found === undefined) throw new Error(`there is no subscriber ${name}`);
    return found;
  }

  /** Makes a client that connects at the next tick. */
  addDevice(
    clientId: string,
    { role, home, version, reconnects = true, ...more }: ClientOptions,
  ): Device {
    const { wills, keepAliveMs = KEEP_ALIVE_MS } = this.#options.plan;
    const device = new Device({
      clientId,
      role,
      version,
      reconnects,
      ports: this.portsFrom(home),
      random: this.#options.random,
      keepAliveMs,
      will: more.will ?? (wills && `${wills}/${clientId}`),
    });
    this.#devices.push(device);
    return device;
  }

  /** Connects everybody; those who are to be offline leave again. */
  async start(): Promise<void> {
    let from = 0;
    this.#ticker = setInterval(() => {
      from = Math.min(from + CONNECTS_PER_TICK, this.#devices.length);
      const nowMs = performance.now();
      for (let index = 0; index < from; index += 1) this.#devices[index]?.tick(nowMs);
    }, TICK_MS);
    await until(
      () =>
        this.#devices.every(({ isConnected }) => isConnected) &&
        this.subscribers.every(({ receiver }) => receiver.isSubscribed),
      START_DEADLINE_MS,
    );
    for (const { plan, device } of this.subscribers) if (plan.isOffline === true) device.leave();
  }

  /** Begins to publish at an even pace. */
  load(): void {
    const { publishers } = this;
    const beganAtMs = performance.now();
    let made = 0;
    this.#pacer = setInterval(() => {
      const nowMs = performance.now();
      const wanted = Math.floor(((nowMs - beganAtMs) * this.#options.rate) / 1_000);
      for (; made < wanted; made += 1) {
        publishers[made % publishers.length]?.due(beganAtMs + (made * 1_000) / this.#options.rate);
      }
      for (const publisher of publishers) publisher.pump();
    }, PACE_MS);
  }

  /** Publishers end their connections without a word, and go on at the next node. */
  moveOn(): void {
    this.#moves += 1;
    for (const [index] of this.publishers.entries()) {
      this.#devices[index]?.abandon();
      this.#devices[index]?.moveTo(this.portsFrom(this.#homeOf(index) + this.#moves));
    }
  }

  /** Notes that a fault is applied now. */
  fault(): void {
    this.faultsAtMs.push(performance.now());
  }

  /**
   * Ends the load, lets offline subscribers in, and waits until all is answered and has come, or until nothing has come
   * for `quietMs`; then once more for a second, for copies that come late.
   */
  async drain(quietMs: number): Promise<void> {
    clearInterval(this.#pacer);
    for (const { plan, device } of this.subscribers) {
      if (plan.isOffline === true) device.moveTo(this.portsFrom(plan.home + 1));
    }
    const deadline = performance.now() + DRAIN_DEADLINE_MS;
    const began = performance.now();
    for (;;) {
      await delay(LOOK_MS);
      const nowMs = performance.now();
      if (this.#isComplete() || nowMs > deadline) break;
      const last = this.subscribers.map(({ receiver }) => receiver.lastArrivalAtMs);
      if (nowMs - Math.max(began, ...last) > quietMs) break;
    }
    await delay(2 * LOOK_MS);
  }

  /** Ends the load, and waits until all that was due has its answer. */
  async answered(deadlineMs: number): Promise<void> {
    clearInterval(this.#pacer);
    // Who reads the history sees what has none.
    await until(() => this.publishers.every(({ isIdle }) => isIdle), deadlineMs).catch(
      () => undefined,
    );
  }

  /** Ends all connections. */
  close(): void {
    clearInterval(this.#pacer);
    clearInterval(this.#ticker);
    for (const device of this.#devices) device.destroy();
  }

  #homeOf(publisher: number): number {
    const { publisherHomes } = this.#options.plan;
    return publisherHomes[Math.floor(publisher / 2) % publisherHomes.length] ?? 0;
  }

  #addSubscriber(plan: ReceiverPlan): void {
    const { name, home, publishers, isOffline, isSlow, reconnects } = plan;
    const wanted = publishers && new Set(publishers);
    const receiver = new Receiver({
      name,
      isLive: isOffline !== true && isSlow !== true,
      filters: publishers?.map(topicOf) ?? ['faults/#'],
      wants: (publisher) => wanted?.has(publisher) ?? true,
    });
    const version = versionOf(2 * this.subscribers.length);
    const device = this.addDevice(name, { role: receiver, home, version, reconnects });
    this.subscribers.push({ plan, receiver, device });
  }

  #isComplete(): boolean {
    if (!this.publishers.every(({ isIdle }) => isIdle)) return false;
    const acknowledged = this.publishers
      .flatMap(({ publications }) => publications)
      .filter(({ acknowledgedAtMs }) => acknowledgedAtMs !== undefined);
    return this.subscribers.every(({ receiver }) =>
      acknowledged.every(
        ({ publisher, number }) => !receiver.wants(publisher) || receiver.has(publisher, number),
      ),
    );
  }
}
