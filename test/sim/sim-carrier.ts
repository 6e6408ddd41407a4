import type { NodeRef } from '#libs/broker-ports';
import type { Control } from '#libs/cluster-redis';
import type { SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** What goes over a channel. */
export type Carried =
  | { readonly kind: 'frame'; readonly frame: Uint8Array }
  | { readonly kind: 'control'; readonly control: Control };

interface Listener {
  readonly process: SimProcess;
  readonly frame: (from: NodeRef, frame: Uint8Array) => void;
  readonly control: (from: NodeRef, control: Control) => void;
  arrivesAtMs: number;
}

/** How a carrier may misbehave. */
export interface CarrierFaults {
  /** The share of what is lost. */
  loss: number;
  leastMs: number;
  mostMs: number;
}

/** The channels between nodes: in order for each receiver, remembered by nobody. */
export class SimCarrier {
  readonly faults: CarrierFaults = { loss: 0, leastMs: 0.1, mostMs: 1.2 };
  readonly #world: World;
  readonly #listeners = new Map<string, Listener>();
  /** Processes that Redis does not reach. */
  readonly #cut = new Set<SimProcess>();

  constructor(world: World) {
    this.#world = world;
  }

  listen(node: NodeRef, process: SimProcess, heard: Pick<Listener, 'frame' | 'control'>): void {
    this.#listeners.set(node.nodeId, { ...heard, process, arrivesAtMs: 0 });
  }

  /** Cuts a process off, or joins it again. */
  cut(process: SimProcess, isCut: boolean): void {
    if (isCut) this.#cut.add(process);
    else this.#cut.delete(process);
  }

  /** Whether somebody is connected to a node's channel. */
  isListening(nodeId: string): boolean {
    const process = this.#listeners.get(nodeId)?.process;
    return process !== undefined && !process.isDead && !this.#cut.has(process);
  }

  /** Sends, and forgets. Returns whether it has left. */
  send(
    nodeId: string,
    carried: Carried,
    { from, process }: { readonly from: NodeRef; readonly process: SimProcess },
  ): boolean {
    if (this.#cut.has(process)) return false;
    const { leastMs, mostMs, loss } = this.faults;
    const listener = this.#listeners.get(nodeId);
    if (listener === undefined || this.#world.chance(loss)) return true;
    const atMs = this.#world.nowMs + this.#world.delay(leastMs, mostMs);
    listener.arrivesAtMs = Math.max(listener.arrivesAtMs, atMs);
    this.#world.at(listener.arrivesAtMs, () => {
      if (this.#cut.has(listener.process)) return;
      listener.process.after(0, () => {
        if (carried.kind === 'frame') listener.frame(from, carried.frame);
        else listener.control(from, carried.control);
      });
    });
    return true;
  }
}
