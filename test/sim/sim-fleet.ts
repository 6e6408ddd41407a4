import type { Publication } from '../faults/history.ts';
import { topicOf } from '../faults/payload.ts';
import { Publisher } from '../faults/publisher.ts';
import { Receiver } from '../faults/receiver.ts';
import { Group } from './group.ts';
import { LateSubscribers } from './late-subscribers.ts';
import { SimDevice, type SimDeviceOptions } from './sim-device.ts';
import type { SimCluster } from './sim-cluster.ts';
import { Testator } from './testator.ts';
import type { World } from './world.ts';

const KEEP_ALIVE_MS = 5_000;

/** A publisher and its device. */
export interface Source {
  readonly publisher: Publisher;
  readonly device: SimDevice;
}

/** A durable subscriber and the device that it had first. */
export interface Sink {
  readonly receiver: Receiver;
  readonly device: SimDevice;
}

/** What a subscriber is to be. */
export interface SinkOptions {
  readonly name: string;
  readonly home?: number;
  readonly reconnects?: boolean;
  /** The publishers that it wants to hear; all if there is none. */
  readonly of?: readonly number[];
  readonly receiveMaximum?: number;
  readonly thinkMs?: number;
}

/** The clients of a simulation. */
export class SimFleet {
  readonly sources: Source[] = [];
  readonly sinks: Sink[] = [];
  readonly devices: SimDevice[] = [];
  readonly late: LateSubscribers;
  readonly group: Group;
  /** Those that leave wills. */
  readonly testators: SimDevice[] = [];
  /** By the index of the publisher, testators among them. */
  readonly #publishers: { readonly publications: readonly Publication[] }[] = [];
  readonly #cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    this.late = new LateSubscribers(this, cluster.world);
    this.group = new Group(() => this.publications);
  }

  get #world(): World {
    return this.#cluster.world;
  }

  /** Everything that was to be published, by publisher. */
  get publications(): readonly (readonly Publication[])[] {
    return this.#publishers.map(({ publications }) => publications);
  }

  get isIdle(): boolean {
    return this.sources.every(({ publisher }) => publisher.isIdle);
  }

  addSource(qos: 1 | 2): Source {
    const index = this.#publishers.length;
    const publisher = new Publisher(index, qos, () => this.#world.nowMs);
    const device = this.addDevice({ clientId: `p${String(index)}`, role: publisher });
    const source = { publisher, device };
    this.sources.push(source);
    this.#publishers.push(publisher);
    return source;
  }

  /** A client that leaves a will whenever it goes. */
  addTestator(isOwed: boolean): void {
    const index = this.#publishers.length;
    const isDurable = this.#world.chance(0.5);
    const options = { qos: this.#world.pick([1, 2] as const), isOwed };
    const role = new Testator(index, options, () => this.#world.nowMs);
    const { will } = role;
    this.testators.push(this.addDevice({ clientId: `w${String(index)}`, role, will, isDurable }));
    this.#publishers.push(role);
  }

  /** One more member of the shared subscription. */
  addMember(): void {
    const role = this.group.add(() => this.#world.nowMs);
    this.addDevice({ clientId: role.name, role });
  }

  addSink({ name, of, ...options }: SinkOptions): Sink {
    const wants = (publisher: number): boolean => of === undefined || of.includes(publisher);
    const receiver = new Receiver({
      ...{ name, isLive: false, wants, nowMs: () => this.#world.nowMs },
      filters: of?.map(topicOf) ?? ['faults/#'],
    });
    const device = this.addDevice({ ...options, clientId: name, role: receiver });
    const sink = { receiver, device };
    this.sinks.push(sink);
    return sink;
  }

  /** @throws Error when there is no such subscriber. */
  sink(name: string): Sink {
    const found = this.sinks.find(({ receiver }) => receiver.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** A client of this id, that is not connected yet. */
  addDevice(
    options: Pick<SimDeviceOptions, 'clientId' | 'role'> & Partial<SimDeviceOptions>,
  ): SimDevice {
    const { nodes } = this.#cluster;
    const device = new SimDevice(this.#world, {
      version: this.#world.chance(0.8) ? 5 : 4,
      nodes,
      home: this.#world.below(nodes.length),
      keepAliveMs: KEEP_ALIVE_MS,
      reconnects: true,
      isDurable: true,
      ...options,
    });
    this.devices.push(device);
    return device;
  }

  /** Connects all that is there and waits until it is subscribed. */
  async begin(): Promise<void> {
    const receivers = [...this.sinks.map(({ receiver }) => receiver), ...this.group.members];
    const publishers = [...this.sources.map(({ device }) => device), ...this.testators];
    for (const device of this.devices) if (!publishers.includes(device)) device.connect();
    await this.#until('subscribers', () => receivers.every(({ isSubscribed }) => isSubscribed));
    for (const device of publishers) device.connect();
    await this.#until('publishers', () => publishers.every(({ isConnected }) => isConnected));
  }

  /** Has messages published for a time: `perSecond` of each publisher, in bursts of up to so many. */
  publish(forMs: number, { perSecond, burst }: { perSecond: number; burst: number }): void {
    const untilMs = this.#world.nowMs + forMs;
    for (const { publisher } of this.sources)
      this.#publish(publisher, { untilMs, perSecond, burst });
  }

  #publish(
    publisher: Publisher,
    load: { readonly untilMs: number; readonly perSecond: number; readonly burst: number },
  ): void {
    const world = this.#world;
    if (world.nowMs >= load.untilMs) return;
    const count = 1 + world.below(load.burst);
    for (let sent = 0; sent < count; sent += 1) publisher.due(world.nowMs);
    publisher.pump();
    const pauseMs = (count * 1_000 * world.between(0.5, 1.5)) / load.perSecond;
    world.after(pauseMs, () => this.#publish(publisher, load));
  }

  /** Has every client connect once more. */
  reconnect(): void {
    for (const device of this.devices) if (device.isConnected) device.drop('once more');
  }

  /** Has those who leave wills go for a time, now and then. */
  bereave(forMs: number, pauseMs: number): void {
    const world = this.#world;
    const untilMs = world.nowMs + forMs;
    const next = (): void => {
      if (world.nowMs >= untilMs) return;
      world.pick(this.testators).drop('dies');
      world.after(world.delay(10, pauseMs), next);
    };
    if (this.testators.length > 0) next();
  }

  /** Whether every subscriber has all that was acknowledged. */
  get isDelivered(): boolean {
    if (!this.late.isDelivered || !this.group.isDelivered) return false;
    return this.sinks.every(({ receiver }) =>
      this.publications.every(
        (publications, publisher) =>
          !receiver.wants(publisher) ||
          publications.every(
            ({ acknowledgedAtMs, number }) =>
              acknowledgedAtMs === undefined || receiver.has(publisher, number),
          ),
      ),
    );
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    if (await this.#world.runUntil(condition, 60_000)) return;
    throw new Error(`${what} are not ready`);
  }
}
