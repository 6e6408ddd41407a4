import { startRedis, startSentinels, type RedisServer } from '#libs/testkit';
import type { Settings } from '../e2e/harness/app.ts';
import { Broker } from '../e2e/harness/broker.ts';
import type { Scope } from '../e2e/harness/scope.ts';

const EXIT_LEASE_LOST = 75;
const DAY_MS = 86_400_000;
const END_CHARACTERS_MAX = 2_000;

/** A fleet on one machine has one address, and a storm of takeovers one client id. */
const ANY_CONNECT_RATE: Settings = {
  LISTENERS_TCP_CONNECTS_PER_SECOND: 0,
  LISTENERS_TCP_CONNECTS_PER_SECOND_PER_ADDRESS: 0,
  FLAPPING_CONNECTIONS_MAX: 0,
};

/** How a cluster is started. */
export interface FaultClusterOptions {
  readonly settings?: Settings;
  /** Flags of Node.js. */
  readonly nodeArgs?: readonly string[];
  /** What each node has for itself, by its index. */
  readonly ownSettings?: (index: number) => Settings;
  /**
   * One Redis that syncs its log before each answer or once a second, or a master that syncs before each answer, its
   * replica and three Sentinels. @defaultValue everysec
   */
  readonly redis?: 'always' | 'everysec' | 'sentinels';
  /** @defaultValue 3 */
  readonly nodes?: number;
  /** How many of them, the last, are not started. @defaultValue 0 */
  readonly late?: number;
}

/** Broker processes on a Redis of their own, and a supervisor that starts a node again that asks for it. */
export class FaultCluster {
  /** With Sentinels: the server that was the master at the start. */
  readonly redis: RedisServer;
  readonly nodes: readonly Broker[];
  /** Ends that nobody asked for: which node, its exit code, the end of its output. */
  readonly unexpectedEnds: string[] = [];
  /** Nodes that ended because their lease was lost, and were started again. */
  leasesLost = 0;
  /** How often a node was killed. */
  kills = 0;
  /** The nodes that are to end. */
  readonly #ending = new Set<Broker>();

  readonly #nodeArgs: readonly string[];

  private constructor(
    redis: RedisServer,
    nodes: readonly Broker[],
    { nodeArgs = [] }: FaultClusterOptions,
  ) {
    this.redis = redis;
    this.nodes = nodes;
    this.#nodeArgs = nodeArgs;
  }

  static async start(scope: Scope, options: FaultClusterOptions = {}): Promise<FaultCluster> {
    const { redis, where } = await openRedis(scope, options.redis ?? 'everysec');
    const settings = { ...where, ...ANY_CONNECT_RATE, LOG_LEVEL: 'warn', ...options.settings };
    const nodes: Broker[] = [];
    for (let index = 0; index < (options.nodes ?? 3); index += 1) {
      const own = options.ownSettings?.(index);
      nodes.push(await Broker.prepare(scope, { ...settings, ...own }));
    }
    const cluster = new FaultCluster(redis, nodes, options);
    const early = nodes.slice(0, nodes.length - (options.late ?? 0));
    await Promise.all(early.map((node) => cluster.start(node)));
    return cluster;
  }

  /** Tells that from now on nodes may end. */
  release(): void {
    for (const node of this.nodes) this.#ending.add(node);
  }

  /** The MQTT ports of the nodes. */
  get ports(): readonly number[] {
    return this.nodes.map(({ port }) => port);
  }

  /** @throws Error when there is no such node. */
  node(index: number): Broker {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${String(index)}`);
    return node;
  }

  /** Starts a node and waits until it is ready. */
  async start(node: Broker): Promise<void> {
    this.#ending.delete(node);
    await node.start({ nodeArgs: this.#nodeArgs });
    const { child } = node;
    void child.exit(DAY_MS).then((code) => {
      if (this.#ending.has(node) || node.child !== child) return;
      if (code === EXIT_LEASE_LOST) this.#startAgain(node);
      else this.#notes(`${node.id} ended with ${String(code)}: ${child.output}`);
    });
  }

  #startAgain(node: Broker): void {
    this.leasesLost += 1;
    this.start(node).catch((error: unknown) => {
      if (!this.#ending.has(node)) this.#notes(String(error));
    });
  }

  #notes(end: string): void {
    this.unexpectedEnds.push(end.slice(-END_CHARACTERS_MAX));
  }

  /** SIGKILL. */
  async kill(node: Broker): Promise<void> {
    this.kills += 1;
    this.#ending.add(node);
    await node.kill();
  }

  /** SIGTERM. @throws Error unless it ends with exit code 0. */
  async stop(node: Broker): Promise<void> {
    this.#ending.add(node);
    await node.stop();
  }

  /** SIGTERM. Resolves with the exit code. */
  async end(node: Broker, deadlineMs: number): Promise<number | null> {
    this.#ending.add(node);
    return await node.child.stop(deadlineMs);
  }

  /** SIGSTOP. */
  freeze(node: Broker): void {
    process.kill(node.child.pid, 'SIGSTOP');
  }

  /** SIGCONT. */
  thaw(node: Broker): void {
    process.kill(node.child.pid, 'SIGCONT');
  }
}

/** Starts what keeps the state of a cluster, and says with which settings nodes find it. */
async function openRedis(
  scope: Scope,
  kind: 'always' | 'everysec' | 'sentinels',
): Promise<{ redis: RedisServer; where: Settings }> {
  if (kind === 'sentinels') {
    const topology = await startSentinels();
    scope.add(() => topology.stop());
    const { master: redis, masterName, sentinels } = topology;
    return {
      redis,
      where: { REDIS_SENTINELS: sentinels.join(','), REDIS_MASTER_NAME: masterName },
    };
  }
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', kind] });
  scope.add(() => redis.stop());
  return { redis, where: { REDIS_URL: redis.url } };
}
