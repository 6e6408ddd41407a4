import type { History, Publication } from '../faults/history.ts';
import { Receiver } from '../faults/receiver.ts';
import type { SimDevice, SimDeviceOptions } from './sim-device.ts';
import type { World } from './world.ts';

interface Late {
  readonly receiver: Receiver;
  /** By publisher: the first number that it must get; undefined before its SUBACK. */
  from: readonly number[] | undefined;
}

/** What is needed of a fleet. */
interface Fleet {
  readonly publications: readonly (readonly Publication[])[];
  addDevice(options: Pick<SimDeviceOptions, 'clientId' | 'role'>): SimDevice;
}

/** Clients that subscribe while messages are published: what is sent after SUBACK, on any node, must come. */
export class LateSubscribers {
  readonly #fleet: Fleet;
  readonly #world: World;
  readonly #all: Late[] = [];

  constructor(fleet: Fleet, world: World) {
    this.#fleet = fleet;
    this.#world = world;
  }

  /** One more of them. */
  add(): void {
    const name = `late${String(this.#all.length)}`;
    const fleet = this.#fleet;
    const receiver = new Receiver({
      ...{ name, isLive: false, wants: () => true, nowMs: () => this.#world.nowMs },
      filters: ['faults/#'],
    });
    const late: Late = { receiver, from: undefined };
    this.#all.push(late);
    const device = fleet.addDevice({
      clientId: name,
      role: {
        connected: (link, connack) => receiver.connected(link, connack),
        received: (link, packet) => {
          receiver.received(link, packet);
          if (packet.kind === 'suback') {
            late.from ??= fleet.publications.map(
              (publications) => publications.filter(({ sends }) => sends > 0).length,
            );
          }
        },
      },
    });
    device.connect();
  }

  /** For each of them the history as far as it concerns it: what was sent before its SUBACK may come or not. */
  histories(): readonly History[] {
    return this.#all.map(({ receiver, from }) => ({
      publications: this.#fleet.publications.map((publications, publisher) =>
        publications.map((publication) =>
          publication.number < (from?.[publisher] ?? 0)
            ? { ...publication, acknowledgedAtMs: undefined }
            : publication,
        ),
      ),
      receivers: [receiver],
      faultsAtMs: [],
    }));
  }

  /** Whether each of them has what it must get. */
  get isDelivered(): boolean {
    return this.#all.every(
      ({ receiver, from }) =>
        from !== undefined &&
        this.#fleet.publications.every((publications, publisher) =>
          publications.every(
            ({ acknowledgedAtMs, number }) =>
              acknowledgedAtMs === undefined ||
              number < (from[publisher] ?? 0) ||
              receiver.has(publisher, number),
          ),
        ),
    );
  }
}
