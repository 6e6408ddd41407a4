import type {
  ClusterAnswer,
  ClusterHandler,
  ClusterRequest,
  InboxBatch,
  NodeInfo,
  NodeRef,
  RouteChange,
} from '#libs/broker-ports';

/** A durable frame that came in. Nothing is done with it until `done` is called. */
export interface ReceivedFrame {
  readonly from: NodeRef;
  /** For whom it was. */
  readonly inbox: NodeRef;
  readonly text: string;
  /** Acknowledges the frame to the bus: it leaves the inbox. */
  readonly done: () => void;
}

/** A ClusterHandler that keeps what it is told, for a test to look at. Frames are texts. */
export class RecordingClusterHandler implements ClusterHandler {
  /** What happened to nodes, in order: `joined n1`, `left n1`, `forgotten n1`. */
  readonly events: string[] = [];
  /** The filters of each incarnation, `n1#7` to its filters. */
  readonly routes = new Map<string, Set<string>>();
  readonly live: { readonly from: NodeRef; readonly text: string }[] = [];
  readonly durable: ReceivedFrame[] = [];
  readonly requests: ClusterRequest[] = [];
  leasesLost = 0;
  /** Whether durable frames are done as they come. */
  takesFrames = true;
  /** How requests are answered. */
  answer: () => Promise<ClusterAnswer> = () => Promise.resolve({ backlogs: [] });

  nodeJoined(node: NodeInfo, filters: readonly string[]): void {
    this.events.push(`joined ${node.nodeId}`);
    this.routes.set(keyOf(node), new Set(filters));
  }

  routesChanged(node: NodeRef, changes: readonly RouteChange[]): void {
    const filters = this.routes.get(keyOf(node)) ?? new Set();
    for (const { kind, filter } of changes) {
      if (kind === 'add') filters.add(filter);
      else filters.delete(filter);
    }
    this.routes.set(keyOf(node), filters);
  }

  nodeLeft(node: NodeRef): void {
    this.events.push(`left ${node.nodeId}`);
  }

  nodeForgotten(node: NodeRef): void {
    this.events.push(`forgotten ${node.nodeId}`);
    this.routes.delete(keyOf(node));
  }

  liveReceived(from: NodeRef, frame: Uint8Array): void {
    this.live.push({ from, text: textOf(frame) });
  }

  durableReceived({ from, inbox, frame }: InboxBatch, done: () => void): void {
    this.durable.push({ from, inbox, text: textOf(frame), done });
    if (this.takesFrames) done();
  }

  requested(_from: NodeRef, request: ClusterRequest): Promise<ClusterAnswer> {
    this.requests.push(request);
    return this.answer();
  }

  leaseLost(): void {
    this.leasesLost += 1;
  }

  /** The filters of an incarnation, in alphabetical order; undefined when it is unknown or forgotten. */
  filtersOf(node: NodeRef): readonly string[] | undefined {
    const filters = this.routes.get(keyOf(node));
    return filters && [...filters].sort();
  }

  /** The texts of the durable frames, in the order of their coming. */
  durableTexts(): string[] {
    return this.durable.map(({ text }) => text);
  }
}

function keyOf({ nodeId, incarnation }: NodeRef): string {
  return `${nodeId}#${String(incarnation)}`;
}

function textOf(frame: Uint8Array): string {
  return Buffer.from(frame).toString();
}
