import type { ListenerView } from './listeners/listener-set.ts';

/** From this share of its bound on a listener is full. */
const FULL_SHARE = 0.95;
/** Below this share it is not full any more: clients that come and go at the bound do not turn the node on and off. */
const ROOM_SHARE = 0.85;

/** Where connections are counted. */
export interface ListenerRoomParts {
  readonly views: () => readonly Pick<ListenerView, 'name' | 'connectionsMax'>[];
  readonly counts: () => ReadonlyMap<string, number>;
}

/** Which listeners have as many connections as they may have, or nearly so. */
export class ListenerRoom {
  readonly #parts: ListenerRoomParts;
  /** Those that were full when they were last looked at. */
  #full: ReadonlySet<string> = new Set();

  constructor(parts: ListenerRoomParts) {
    this.#parts = parts;
  }

  /** Those that are full now, or were and still have too many: how many connections each has, of how many. */
  full(): readonly string[] {
    const found = this.#look();
    this.#full = new Set(found.map(({ name }) => name));
    return found.map(({ name, count, connectionsMax }) => {
      return `${name}: ${String(count)} of ${String(connectionsMax)} connections`;
    });
  }

  #look() {
    const counts = this.#parts.counts();
    return this.#parts.views().flatMap(({ name, connectionsMax }) => {
      const count = counts.get(name) ?? 0;
      const isFull = this.#full.has(name)
        ? count >= connectionsMax * ROOM_SHARE
        : count >= connectionsMax * FULL_SHARE;
      return isFull ? [{ name, count, connectionsMax }] : [];
    });
  }
}
