import { setTimeout as delay } from 'node:timers/promises';
import { SpoolHeir, type RuleBridge } from '#libs/bridge';
import { SpoolError, type ClusterBus, type Log, type Spool } from '#libs/broker-ports';
import { nodeKey, parseNodeKey } from '#libs/cluster';
import { RedisClusterBus } from '#libs/cluster-redis';
import { ConfigError, redisTarget, spoolDir, type Config } from '#libs/config';
import { openLocalSpool } from '#libs/spool-local';
import { RedisSpoolEstate, openRedisSpool } from '#libs/spool-redis';

const RETRY_MS = 1_000;

/** The spool of the bridge, wherever it is. */
export interface NodeSpool {
  /** Undefined on a node without one, and before it is open. */
  readonly spool: Spool | undefined;
  /** To be called when the node has its lease, and before the bridge gets its rules: from then on the spool is its. */
  open(): Promise<void>;
  /** Takes over, for the rules of a bridge, what nodes leave that end. */
  inherit(bridge: RuleBridge): void;
  /** Ends that; to be called before the bridge is closed. */
  disinherit(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the spool of the bridge. One in Redis opens later: only a lease tells whose it is.
 *
 * @throws ConfigError when its directory cannot be used.
 */
export async function openSpool(config: Config, log: Log, bus: ClusterBus): Promise<NodeSpool> {
  if (config.bridge.spool.kind === 'redis') return new RedisNodeSpool(config, log, bus);
  const spool = await openSpoolDir(config, log);
  return {
    spool,
    open: async () => undefined,
    // A directory is of its node alone: nobody else can reach what it holds.
    inherit: () => undefined,
    disinherit: async () => undefined,
    close: async () => spool?.close(),
  };
}

async function openSpoolDir(config: Config, log: Log): Promise<Spool | undefined> {
  const dir = spoolDir(config);
  if (dir === undefined) return undefined;
  const { bytesMax } = config.bridge.spool;
  try {
    const spool = await openLocalSpool({ dir, bytesMax });
    log.info('bridge-spool-opened', { dir, bytes: spool.bytes, rules: spool.rules().length });
    return spool;
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error;
    const problem = error.message.replace(/^bridge\.spool\.dir: /, '');
    const fix = 'name a directory that this process alone may write to';
    throw new ConfigError([{ field: 'bridge.spool.dir', problem, fix }]);
  }
}

/** A spool in Redis, under the id of the node; the estate of those whose nodes are gone comes to it. */
class RedisNodeSpool implements NodeSpool {
  spool: Spool | undefined;
  readonly #config: Config;
  readonly #log: Log;
  readonly #bus: ClusterBus;
  #estate: RedisSpoolEstate | undefined;
  #heir: SpoolHeir | undefined;
  #isClosed = false;

  constructor(config: Config, log: Log, bus: ClusterBus) {
    this.#config = config;
    this.#log = log;
    this.#bus = bus;
  }

  /** Pends as long as Redis is away. */
  async open(): Promise<void> {
    while (this.#estate === undefined && !this.#isClosed) {
      try {
        await this.#open();
      } catch (error) {
        if (!(error instanceof SpoolError)) throw error;
        this.#log.warn('bridge-spool-unavailable', { error: error.message });
        await delay(RETRY_MS);
      }
    }
  }

  inherit(bridge: RuleBridge): void {
    if (this.#estate === undefined) return;
    this.#heir = new SpoolHeir({
      estate: this.#estate,
      bridge,
      log: this.#log,
    });
    this.#heir.start();
  }

  async disinherit(): Promise<void> {
    this.#isClosed = true;
    await this.#heir?.close();
    await this.#estate?.close();
  }

  async close(): Promise<void> {
    await this.spool?.close();
  }

  async #open(): Promise<void> {
    const bus = this.#bus;
    const target = redisTarget(this.#config);
    if (target === undefined || !(bus instanceof RedisClusterBus)) {
      throw new Error('a spool in Redis needs a cluster on Redis');
    }
    const { redis, node, bridge } = this.#config;
    const { keyPrefix, commandTimeoutMs, waitReplicas, waitTimeoutMs } = redis;
    const options = {
      ...target,
      ...{ keyPrefix, commandTimeoutMs, waitReplicas, waitTimeoutMs },
      ...{ nodeId: node.id, self: nodeKey(bus.self), bytesMax: bridge.spool.bytesMax },
      log: this.#log,
    };
    this.spool ??= await openRedisSpool(options);
    this.#estate = await RedisSpoolEstate.open({
      ...options,
      hasEnded: async (process) => {
        const ref = parseNodeKey(process);
        return ref === undefined || bus.hasEnded(ref).catch(() => false);
      },
      graceMs: redis.leaseMs,
    });
    const { bytes } = this.spool;
    const rules = this.spool.rules().length;
    this.#log.info('bridge-spool-opened', { redis: keyPrefix, bytes, rules });
  }
}
