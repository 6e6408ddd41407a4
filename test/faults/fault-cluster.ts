import { startRedis, type RedisServer } from '#libs/testkit';
import type { Settings } from '../e2e/harness/app.ts';
import { Broker } from '../e2e/harness/broker.ts';
import type { Scope } from '../e2e/harness/scope.ts';

const EXIT_LEASE_LOST = 75;
const DAY_MS = 86_400_000;

/** How a cluster is started. */
export interface FaultClusterOptions {
  readonly settings: Settings;
  /** How often Redis syncs its log: before each answer, or once a second. */
  readonly fsync: 'always' | 'everysec';
  /** @defaultValue 3 */
  readonly nodes?: number;
}

/** Broker processes on a Redis of their own, and a supervisor that starts a node again that asks for it. */
export class FaultCluster {
  readonly redis: RedisServer;
  readonly nodes: readonly Broker[];
  /** Ends that nobody asked for, as `node exit code`. */
  readonly unexpectedEnds: string[] = [];
  /** Nodes that ended because their lease was lost, and were started again. */
  leasesLost = 0;
  /** The nodes that are to end. */
  readonly #ending = new Set<Broker>();

  private constructor(redis: RedisServer, nodes: readonly Broker[]) {
    this.redis = redis;
    this.nodes = nodes;
  }

  static async start(scope: Scope, options: FaultClusterOptions): Promise<FaultCluster> {
    const args = ['--appendonly', 'yes', '--appendfsync', options.fsync];
    const redis = await startRedis({ args });
    scope.add(() => redis.stop());
    const settings = { REDIS_URL: redis.url, LOG_LEVEL: 'warn', ...options.settings };
    const nodes: Broker[] = [];
    for (let index = 0; index < (options.nodes ?? 3); index += 1) {
      nodes.push(await Broker.prepare(scope, settings));
    }
    const cluster = new FaultCluster(redis, nodes);
    scope.add(() => nodes.forEach((node) => cluster.#ending.add(node)));
    await Promise.all(nodes.map((node) => cluster.start(node)));
    return cluster;
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
    await node.start();
    const { child } = node;
    void child.exit(DAY_MS).then((code) => {
      if (this.#ending.has(node) || node.child !== child) return undefined;
      if (code !== EXIT_LEASE_LOST) {
        this.unexpectedEnds.push(`${node.id} ${String(code)}: ${child.output.slice(-2_000)}`);
        return undefined;
      }
      this.leasesLost += 1;
      return this.start(node);
    });
  }

  /** SIGKILL. */
  async kill(node: Broker): Promise<void> {
    this.#ending.add(node);
    await node.kill();
  }

  /** SIGTERM. @throws Error unless it ends with exit code 0. */
  async stop(node: Broker): Promise<void> {
    this.#ending.add(node);
    await node.stop();
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
