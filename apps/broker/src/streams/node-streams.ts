import type { Tracing } from '#libs/broker-core';
import type { NodeAdmin } from '#libs/broker-ports';
import type { EventLog } from './event-log.ts';
import { MessageWatches } from './message-watches.ts';
import { NodeTraces } from './node-traces.ts';

/** What those read who follow this node over REST. */
export class NodeStreams {
  readonly events: EventLog;
  readonly watches: MessageWatches;
  readonly traces: NodeTraces;
  readonly #admin: Pick<NodeAdmin, 'nodes' | 'tap'>;
  readonly #nodeId: string;

  constructor(own: {
    readonly events: EventLog;
    readonly admin: Pick<NodeAdmin, 'nodes' | 'tap'>;
    readonly nodeId: string;
    readonly tracing: Tracing;
    /** Milliseconds since 1970. */
    readonly nowMs: () => number;
  }) {
    this.events = own.events;
    this.#admin = own.admin;
    this.#nodeId = own.nodeId;
    this.watches = new MessageWatches(own.admin, own.nowMs);
    const { tracing, nodeId, nowMs } = own;
    this.traces = new NodeTraces({ tracing, nodeId, nowMs, life: nowMs() });
  }

  /** Looks which nodes have come and gone, and ends what nobody reads. Called about once a second. */
  sweep(): void {
    this.events.look(this.#admin.nodes(), this.#nodeId);
    this.watches.sweep();
    this.traces.sweep();
  }

  /** Whoever waits is answered. */
  close(): void {
    this.events.close();
    this.watches.close();
    this.traces.close();
  }
}
