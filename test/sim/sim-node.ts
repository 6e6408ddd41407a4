import { BrokerNode, type CoreLimits } from '#libs/broker-core';
import type { Log, LogFields, NodeRef } from '#libs/broker-ports';
import { ClusterError } from '#libs/cluster';
import { OPEN_RULES } from '#libs/mqtt-engine';
import { MemoryHub, WIDE_LIMITS, countingMeter } from '#libs/testkit';
import { RedisLink } from './redis-link.ts';
import { SimBus, type SimBusSettings } from './sim-bus.ts';
import type { SimCarrier } from './sim-carrier.ts';
import { SimProcess } from './sim-process.ts';
import type { SimRedis } from './sim-redis.ts';
import { SimRetainedStore, SimSessionStore } from './sim-stores.ts';
import { SimWire, type WireEnd, type WireTempo } from './sim-wire.ts';
import type { Cancel, World } from './world.ts';

const SWEEP_MS = 1_000;
const STOP_DEADLINE_S = 25;

/** What all nodes of a simulation share. */
export interface SimNodeParts {
  readonly world: World;
  readonly redis: SimRedis;
  readonly carrier: SimCarrier;
  readonly wires: WireTempo;
  readonly settings: SimBusSettings;
  readonly limits: Partial<CoreLimits>;
  /** A line of the log at level error that is not the loss of a lease. */
  readonly failed: (what: string) => void;
}

/** One life of a node. */
interface Life {
  readonly process: SimProcess;
  readonly links: readonly RedisLink[];
  readonly bus: SimBus;
  readonly node: BrokerNode;
  readonly wires: Set<SimWire>;
  isServing: boolean;
  endSweeps: Cancel;
}

/** A node with its supervisor: the real BrokerNode in a simulated process, started again whenever that ends. */
export class SimNode {
  readonly nodeId: string;
  readonly #parts: SimNodeParts;
  readonly #skewMs: number;
  readonly #costMs: number;
  #life: Life | undefined;
  #isCut = false;
  /** A supervisor lets it be until then. */
  #restartsAtMs = 0;
  /** How often a process has ended because its lease was lost. */
  leasesLost = 0;

  constructor(
    parts: SimNodeParts,
    options: { readonly nodeId: string; readonly skewMs: number; readonly costMs: number },
  ) {
    this.#parts = parts;
    this.nodeId = options.nodeId;
    this.#skewMs = options.skewMs;
    this.#costMs = options.costMs;
  }

  /** Whether it takes clients. */
  get isServing(): boolean {
    return this.#life?.isServing === true;
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  /** Its present incarnation. */
  get self(): NodeRef | undefined {
    return this.isServing ? this.#life?.bus.self : undefined;
  }

  /** The node itself, for what the end of a simulation looks at. */
  get node(): BrokerNode | undefined {
    return this.#life?.node;
  }

  /** What its supervisor does now and then: begins a life if there is none. */
  supervise(): void {
    if (this.#life === undefined && this.#parts.world.nowMs >= this.#restartsAtMs) this.start();
  }

  /** Begins a life. */
  start(): void {
    if (this.#life !== undefined) return;
    const { world, redis, carrier, settings } = this.#parts;
    const process = new SimProcess(world, {
      name: this.nodeId,
      skewMs: this.#skewMs,
      costMs: this.#costMs,
    });
    const link = (name: string, commandTimeoutMs = settings.commandTimeoutMs): RedisLink =>
      new RedisLink(process, redis, { name, commandTimeoutMs });
    const links = { commands: link('bus'), routes: link('routes', 0), inbox: link('inbox', 0) };
    const stores = link('store');
    const { meter } = countingMeter();
    const log = this.#log();
    const bus = new SimBus({
      ...{ process, redis, carrier, links, settings, log, meter },
      nodeId: this.nodeId,
    });
    const store = { process, link: stores, redis };
    const parts = {
      hub: new MemoryHub(),
      sessions: new SimSessionStore(store),
      retained: new SimRetainedStore(store),
      ...{ bus, meter, log },
      limits: { ...WIDE_LIMITS, publishDeadlineMs: 15_000, ...this.#parts.limits },
      rulesOf: () => OPEN_RULES,
      serverReference: undefined,
      shareStrategy: 'least-inflight' as const,
      topics: { rewrite: [], autoSubscribe: [], sysIntervalSeconds: 0 },
      mode: 'cluster' as const,
      nowMs: process.nowMs,
      assignClientId: () => `assigned-${String(world.below(1_000_000))}`,
      defer: (run: () => void) => void process.after(0, run),
    };
    const node = new BrokerNode(parts, () => this.#leaseLost(life));
    const all = [...Object.values(links), stores];
    const life: Life = {
      process,
      links: all,
      bus,
      node,
      wires: new Set(),
      isServing: false,
      endSweeps: () => undefined,
    };
    this.#life = life;
    this.#tell('starts');
    if (this.#isCut) this.partition(true);
    void node.start().then(() => {
      life.isServing = true;
      this.#tell('serves');
      life.endSweeps = process.every(SWEEP_MS, () => node.sweep());
    }, rethrowUnlessClosed);
  }

  /** A client's connection; undefined when nobody listens. */
  accept(client: WireEnd): SimWire | undefined {
    const life = this.#life;
    if (life?.isServing !== true) return undefined;
    const { process, node, wires } = life;
    const accept: BrokerNode['accept'] = (transport) => node.accept(transport);
    const wire = new SimWire(process, { client, tempo: this.#parts.wires, accept });
    wires.add(wire);
    return wire;
  }

  /**
   * SIGKILL.
   *
   * @param how - `isSilent`: the whole machine is gone, and clients are told nothing; `forMs`: it starts again after that.
   */
  kill({ isSilent = false, forMs = 0 } = {}): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#restartsAtMs = this.#parts.world.nowMs + forMs;
    this.#tell('is killed');
    life.process.kill();
    for (const wire of life.wires) {
      if (isSilent) wire.silence();
      else wire.reset();
    }
    this.#life = undefined;
  }

  /** SIGTERM. */
  stop(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#tell('is told to end');
    life.isServing = false;
    life.endSweeps();
    const end = (): void => {
      if (this.#life === life) this.kill();
    };
    void life.node.stop().then(end);
    // Second by second, since those in which the process is paused do not count.
    let leftS = STOP_DEADLINE_S;
    life.process.every(1_000, () => {
      leftS -= 1;
      if (leftS > 0) return;
      this.#parts.failed(`${this.nodeId} has not stopped in time`);
      end();
    });
  }

  /** SIGSTOP and SIGCONT. */
  pause(isPaused: boolean): void {
    const process = this.#life?.process;
    if (process === undefined || process.isPaused === isPaused) return;
    this.#tell(isPaused ? 'is stopped' : 'goes on');
    if (isPaused) process.pause();
    else process.resume();
  }

  /** Its connections to Redis break, or are back. */
  partition(isCut: boolean): void {
    this.#isCut = isCut;
    const life = this.#life;
    if (life === undefined) return;
    const { process, links, bus } = life;
    this.#tell(isCut ? 'loses Redis' : 'has Redis again');
    this.#parts.carrier.cut(process, isCut);
    for (const link of links) {
      if (isCut) link.break();
      else link.restore();
    }
    process.after(0, () => {
      if (isCut) bus.linksLost();
      else bus.linksRestored();
    });
  }

  /** The cables of its clients are pulled. */
  silenceClients(): void {
    this.#tell('loses its clients');
    for (const wire of this.#life?.wires ?? []) wire.silence();
  }

  /** Makes it busier or less so. */
  setCost(costMs: number): void {
    this.#life?.process.setCost(costMs);
  }

  #leaseLost(life: Life): void {
    this.#tell('has lost its lease');
    this.leasesLost += 1;
    life.node.abandon();
    life.process.after(0, () => {
      if (this.#life === life) this.kill();
    });
  }

  #log(): Log {
    const tell = (level: string) => (event: string, fields?: LogFields) =>
      this.#parts.world.tell(
        this.nodeId,
        () => `${level} ${event} ${JSON.stringify(fields ?? {})}`,
      );
    return {
      debug: tell('debug'),
      info: tell('info'),
      warn: tell('warn'),
      error: (event, fields) => {
        tell('error')(event, fields);
        if (event !== 'lease-lost') this.#parts.failed(`${this.nodeId} logged ${event}`);
      },
    };
  }

  #tell(text: string): void {
    this.#parts.world.tell(this.nodeId, () => text);
  }
}

/** A node that is told to end before it serves gives up its start. */
function rethrowUnlessClosed(error: unknown): void {
  if (!(error instanceof ClusterError) || error.code !== 'CLUSTER_CLOSED') throw error;
}
