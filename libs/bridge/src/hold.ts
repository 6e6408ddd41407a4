import type { BridgeHoldEnd, BridgeQueue, NodeRef } from '#libs/broker-ports';
import { Fifo } from './fifo.ts';
import type { OutboundRecord } from './outbound-record.ts';

/** Whoever has given records to a hold, and takes them on when it ends. */
export interface HeldOwner {
  /** The record may go to its lane. */
  released(record: OutboundRecord): void;
}

/** Something at another node that records wait for; without a queue it is not known yet what. */
export interface Wait {
  readonly node: NodeRef;
  readonly queue: BridgeQueue | undefined;
}

/** What one client has published for one rule since it came from another node, while it waits. */
export class Hold {
  readonly rule: string;
  readonly clientId: string;
  /** Records of the spool from this sequence on are held; those before it are older than the move. */
  readonly from: number;
  waits: readonly Wait[];
  end: BridgeHoldEnd | undefined;
  /** For how long it has kept records from an other side that could be reached. */
  waitedMs = 0;
  readonly #records = new Fifo<{ readonly record: OutboundRecord; readonly owner: HeldOwner }>();

  constructor(
    of: { readonly rule: string; readonly clientId: string; readonly from: number },
    waits: readonly Wait[],
  ) {
    this.rule = of.rule;
    this.clientId = of.clientId;
    this.from = of.from;
    this.waits = waits;
  }

  /** How many records wait. */
  get size(): number {
    return this.#records.size;
  }

  take(record: OutboundRecord, owner: HeldOwner): void {
    this.#records.push({ record, owner });
  }

  /** Lets the records go, in their order. */
  release(): void {
    for (let held = this.#records.shift(); held; held = this.#records.shift()) {
      held.owner.released(held.record);
    }
  }

  /** Gives an owner its records back. */
  reclaim(owner: HeldOwner): OutboundRecord[] {
    const own: OutboundRecord[] = [];
    for (let left = this.#records.size; left > 0; left -= 1) {
      const held = this.#records.shift();
      if (held === undefined) break;
      if (held.owner === owner) own.push(held.record);
      else this.#records.push(held);
    }
    return own;
  }
}
