import type { NodeEvent, NodeEvents, NodeInfo } from '#libs/broker-ports';
import type { CommandOf, NodeAnswers, WireNodeEvent } from '#libs/api-contracts';
import { Ring } from './ring.ts';

/** About a hundred bytes each: half an hour of ordinary coming and going, and five minutes of 200 a second. */
const EVENTS_MAX = 65_536;
const BYTES_MAX = 32 * 1024 * 1024;
const EVENT_BYTES = 160;

/** A page of events. */
const EVENTS_PER_ANSWER = 500;
const WAIT_MS_MAX = 5_000;

/** What a node's event log is made with. */
export interface EventLogOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Another one for each life of the process: positions of another life mean nothing. */
  readonly life: number;
}

/** What has happened at this node lately, for those who follow it over REST. */
export class EventLog implements NodeEvents {
  readonly #options: EventLogOptions;
  readonly #ring = new Ring<WireNodeEvent>(
    { entriesMax: EVENTS_MAX, bytesMax: BYTES_MAX },
    ({ clientId = '', detail }) => {
      let bytes = EVENT_BYTES + clientId.length;
      for (const value of Object.values(detail)) {
        if (typeof value === 'string') bytes += value.length;
      }
      return bytes;
    },
  );
  #nodes: ReadonlyMap<string, NodeInfo> | undefined;

  constructor(options: EventLogOptions) {
    this.#options = options;
  }

  emit(event: NodeEvent): void {
    this.#ring.append({ ...event, number: this.#ring.last + 1, atMs: this.#options.nowMs() });
  }

  /** Tells of nodes that have come and gone: the first of those that live does, so that it is told once. */
  look(nodes: readonly NodeInfo[], self: string): void {
    const before = this.#nodes;
    this.#nodes = new Map(nodes.map((node) => [node.nodeId, node]));
    const [teller] = nodes.map(({ nodeId }) => nodeId).toSorted();
    if (before === undefined || teller !== self) return;
    for (const node of nodes) {
      const known = before.get(node.nodeId);
      if (known?.incarnation !== node.incarnation) this.#tell('node.joined', node);
      if (node.state === 'draining' && known?.state !== 'draining')
        this.#tell('node.draining', node);
    }
    for (const node of before.values()) {
      if (!this.#nodes.has(node.nodeId)) this.#tell('node.left', node);
    }
  }

  /** What came after a position; waits for it if there is nothing yet. Without one from now on. */
  async read(command: CommandOf<'events'>): Promise<NodeAnswers['events']> {
    const { life } = this.#options;
    const { after, types, clientId, waitMs } = command;
    // Of another life of this node: all of this one is new.
    const from = after === undefined ? this.#ring.last : after.life === life ? after.number : 0;
    if (after !== undefined) await this.#ring.after(from, Math.min(waitMs, WAIT_MS_MAX));
    const wanted = types && new Set<string>(types);
    const part = this.#ring.read(
      from,
      EVENTS_PER_ANSWER,
      (event) =>
        (wanted === undefined || wanted.has(event.type)) &&
        (clientId === undefined || event.clientId === clientId),
    );
    return { events: part.entries, position: { life, number: part.last }, lost: part.lost };
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#ring.close();
  }

  #tell(type: 'node.joined' | 'node.draining' | 'node.left', node: NodeInfo): void {
    const { nodeId: node_id, version } = node;
    this.emit({ type, detail: { node_id, version } });
  }
}
