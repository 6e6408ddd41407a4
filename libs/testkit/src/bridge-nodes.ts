import { ClientMoves, RuleBridge, SinkError, type Sink, type SinkRecord } from '#libs/bridge';
import type { ClusterAnswer, ClusterRequest, MqttToKafkaRule, NodeRef } from '#libs/broker-ports';
import { countingMeter } from './counting-meter.ts';
import { RecordingLog } from './logs.ts';
import { openMemorySpool } from './memory-spool-store.ts';
import { messageOf } from './messages.ts';
import { outboundRule } from './sample-rules.ts';

const LANES = 3;
/** Rules: one through the spool, and one in memory. Their filters are `RULE/#`. */
export type RuleName = 'spool' | 'kafka';
const LIMITS = { ackTimeoutMs: 10_000, lingerMs: 0, batchRecordsMax: 20, batchBytesMax: 50_000 };

/** A way to the other side that all nodes share. It can be away, as a whole or by lanes. */
export class SharedSink implements Sink {
  away = false;
  readonly stuck = new Set<number>();
  /** Awaited by every request. */
  slow: Promise<void> = Promise.resolve();
  readonly #store: (records: readonly SinkRecord[]) => void;

  constructor(store: (records: readonly SinkRecord[]) => void) {
    this.#store = store;
  }

  async ping(): Promise<void> {
    if (this.away) throw new SinkError('UNAVAILABLE', 'away');
  }

  async lanes(): Promise<number> {
    return LANES;
  }

  async send(_target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    await this.slow;
    await this.ping();
    if (this.stuck.has(lane)) throw new SinkError('UNAVAILABLE', 'stuck');
    this.#store(records);
    return [lane];
  }

  test(): never {
    throw new Error('nobody tests this sink');
  }

  renew(): void {}

  async close(): Promise<void> {}
}

/** The bridge of one node of several. */
export class BridgeNode {
  readonly self: NodeRef;
  readonly moves: ClientMoves;
  readonly sink: SharedSink;
  readonly log = new RecordingLog();
  isAlive = true;
  /** Does not answer others while true. */
  isDeaf = false;
  /** How often others have asked it. */
  asked = 0;
  /** How holds have ended. */
  readonly ends: string[] = [];
  /** Records held, as the meter was told last. */
  held = 0;
  readonly bridge: RuleBridge;

  private constructor(
    self: NodeRef,
    world: BridgeNodes,
    spool: Awaited<ReturnType<typeof openMemorySpool>>,
  ) {
    this.self = self;
    const { log } = this;
    const clock = Date.now;
    const told: Readonly<Record<string | symbol, unknown>> = {
      bridgeHoldEnded: (_bridge: string, outcome: string) => this.ends.push(outcome),
      bridgeHeld: (_bridge: string, records: number) => (this.held = records),
    };
    const meter = new Proxy(countingMeter().meter, {
      get: (target, name) => told[name] ?? Reflect.get(target, name),
    });
    this.sink = new SharedSink((records) => world.store(this, records));
    const bus = {
      self,
      nodes: () => world.nodes.filter(({ isAlive }) => isAlive).map((node) => node.info),
      isAlive: (node: NodeRef) => world.node(node.nodeId).isAlive,
      request: (nodeId: string, request: ClusterRequest) => world.node(nodeId).answer(request),
    };
    this.moves = new ClientMoves({ bus, waitMs: world.waitMs, clock, log, meter });
    this.bridge = new RuleBridge({
      connectors: [
        { id: 'main', kind: 'kafka', brokers: ['127.0.0.1:1'], clientId: 'x', compression: 'none' },
      ],
      sinks: [{ kind: 'kafka', targetFault: () => undefined, open: () => this.sink }],
      sources: [],
      limits: { ...LIMITS, bufferBytesMax: 100_000 },
      spool: {
        spool,
        limits: { ageSecondsMax: 3_600, onFull: 'reject', replayRecordsPerSecond: 0 },
      },
      moves: this.moves,
      inject: (_message, done) => done(),
      messageLimits: { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 },
      clock: { nowMs: clock, monotonicMs: clock },
      ...{ log, meter },
    });
    this.bridge.apply(world.rules);
  }

  /** Starts the bridge of a node. */
  static async open(nodeId: string, world: BridgeNodes): Promise<BridgeNode> {
    return new BridgeNode({ nodeId, incarnation: 1 }, world, await openMemorySpool());
  }

  get info() {
    return { ...this.self, version: '1', startedAtMs: 1, state: 'alive' as const };
  }

  /** Answers another node, if it can. */
  async answer(request: ClusterRequest): Promise<ClusterAnswer> {
    if (!this.isAlive || this.isDeaf) throw new Error('silent');
    if (request.kind !== 'bridge-progress') throw new Error('only the bridge is here');
    this.asked += 1;
    return { backlogs: [{ node: this.self, queues: this.moves.queues() }] };
  }
}

/** Several nodes with a bridge each, before one other side, and clients that change nodes. For tests with fake timers. */
export class BridgeNodes {
  readonly nodes: BridgeNode[] = [];
  /** Values in the order in which the other side got them, as `rule client/number`. */
  readonly stored: string[] = [];
  /** The same of those acknowledged. */
  readonly acknowledged: string[] = [];
  readonly waitMs: number;
  /** Of each node. */
  readonly rules = [ruleOf('spool'), ruleOf('kafka')] as const;
  readonly #homes = new Map<string, BridgeNode>();
  readonly #numbers = new Map<string, number>();

  private constructor(waitMs: number) {
    this.waitMs = waitMs;
  }

  /** Starts nodes n0, n1 and so on. */
  static async open(count: number, waitMs = 30_000): Promise<BridgeNodes> {
    const world = new BridgeNodes(waitMs);
    for (let index = 0; index < count; index += 1) {
      world.nodes.push(await BridgeNode.open(`n${String(index)}`, world));
    }
    return world;
  }

  /** @throws Error when there is no such node. */
  node(nodeId: string): BridgeNode {
    const found = this.nodes.find(({ self }) => self.nodeId === nodeId);
    if (found === undefined) throw new Error(`there is no node ${nodeId}`);
    return found;
  }

  /** The other side gets records. A node that is dead sends nothing. */
  store(node: BridgeNode, records: readonly SinkRecord[]): void {
    if (!node.isAlive) throw new SinkError('UNAVAILABLE', 'dead');
    this.stored.push(...records.map(({ target, value }) => `${target} ${String(value)}`));
  }

  /** A client publishes its next message, for one of the rules. */
  publish(client: string, rule: RuleName = 'spool', bytes = 0): void {
    const node = this.#homeOf(client);
    const number = (this.#numbers.get(client) ?? 0) + 1;
    this.#numbers.set(client, number);
    const text = `${client}/${String(number)}`;
    const payload = Buffer.from(text + '.'.repeat(bytes));
    const message = { topic: `${rule}/x`, publisher: client, receivedAtMs: Date.now(), payload };
    node.bridge.offer(messageOf(message), (error) => {
      if (error === undefined) this.acknowledged.push(`${rule} ${text}`);
    });
  }

  /** A client goes on at another node, as a takeover makes it known. */
  move(client: string, to: BridgeNode): void {
    const from = this.#homeOf(client);
    this.#homes.set(client, to);
    if (from === to) return;
    const backlogs = from.isAlive ? from.moves.backlogs(client, true) : [];
    if (backlogs.length > 0) to.moves.arrived(client, backlogs);
  }

  /** What the other side has of a client and rule, in its order. */
  numbersOf(client: string, rule: RuleName = 'spool'): number[] {
    const own = this.stored.filter((value) => value.startsWith(`${rule} ${client}/`));
    return own.map((value) => Number(/\/(\d+)/.exec(value)?.[1]));
  }

  /** Ends all bridges, without records that wait. */
  close(): Promise<unknown> {
    return Promise.all(this.nodes.map(({ bridge }) => bridge.close()));
  }

  #homeOf(client: string): BridgeNode {
    const home = this.#homes.get(client) ?? this.nodes[0];
    if (home === undefined) throw new Error('there is no node');
    this.#homes.set(client, home);
    return home;
  }
}

function ruleOf(ack: RuleName): MqttToKafkaRule {
  return outboundRule({ id: ack, filter: `${ack}/#`, topic: ack, ack });
}
