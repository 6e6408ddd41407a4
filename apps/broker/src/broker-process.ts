import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerNode } from '#libs/broker-core';
import type { RuleBridge } from '#libs/bridge';
import type { ClusterBus, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import { exposeSession, type PromMeter } from '#libs/metrics-prom';
import type { NodeCommand, NodeReply } from '#libs/api-contracts';
import { OpsServer, type NodeCommandServer } from '#libs/nest-support';
import type { LiveListeners } from './listeners/live-listeners.ts';
import type { ListenerSet } from './listeners/listener-set.ts';
import type { LiveSettings, LiveSettingsParts } from './settings/live-settings.ts';
import type { NodeDrain } from './node-drain.ts';
import type { Readiness } from './readiness.ts';
import type { AuthSources } from './auth-sources.ts';
import type { FlappingRules } from './flapping-rules.ts';
import type { GeneralRules } from './general-rules.ts';
import { checkRedis, type RedisCheck } from './redis-check.ts';
import type { BridgeDefinitions } from './bridge-definitions.ts';
import type { OverloadWatch } from './wiring/overload.ts';
import type { NodeSpool } from './wiring/spool.ts';
import type { Schedules } from './schedules/schedules.ts';
import type { NodeInsight } from './insight/node-insight.ts';
import type { NodeStreams } from './streams/node-streams.ts';
import type { Stores } from './wiring/stores.ts';
import type { OtelTracer } from '#libs/tracer-otel';

const SWEEP_MS = 1_000;
/** How long the end may take when all clients have gone. */
const STOP_MS = 25_000;

/** What a node's process is made of. */
export interface BrokerProcessParts {
  readonly config: Config;
  readonly log: Log;
  readonly meter: PromMeter;
  readonly stores: Stores;
  readonly bus: ClusterBus & { readonly ready?: boolean };
  /** Who is asked who clients are. */
  readonly auth: AuthSources;
  /** The general rules of who may do what. */
  readonly rules: GeneralRules;
  /** When the node bans by itself. */
  readonly flapping: FlappingRules;
  readonly bridge: RuleBridge;
  /** What the bridge works with. */
  readonly definitions: BridgeDefinitions;
  /** Where the bridge keeps records. */
  readonly spool: NodeSpool;
  /** What was set at run time lies above the configuration. */
  readonly settings: LiveSettings;
  readonly settingsParts: LiveSettingsParts;
  /** Says whether the node has too much to do. */
  readonly overload: OverloadWatch;
  readonly node: BrokerNode;
  /** What those read who follow it over REST. */
  readonly streams: NodeStreams;
  /** What the node notes about itself. */
  readonly insight: NodeInsight;
  /** What is published at its times. */
  readonly schedules: Schedules;
  readonly commands: NodeCommandServer<NodeCommand, NodeReply>;
  readonly listeners: ListenerSet;
  /** Listeners that are stored lie above those of the configuration. */
  readonly liveListeners: LiveListeners;
  readonly readiness: Readiness;
  readonly drain: NodeDrain;
  /** Undefined where nothing is traced. */
  readonly tracer: OtelTracer | undefined;
  /** Looks at Redis; undefined without one. */
  readonly inspectRedis: RedisCheck['inspect'] | undefined;
}

/** A port could not be had; `field` is the key to correct. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code = 'START_FAILED';
  readonly field: string;

  constructor(field: string, cause: unknown) {
    super(`${field}: ${String(cause)}`, { cause });
    this.field = field;
  }
}

/** A node as a process: the order of its start and of its end, its ops port and its sweep. */
export class BrokerProcess {
  readonly #parts: BrokerProcessParts;
  readonly #ops: OpsServer;
  #sweeper: NodeJS.Timeout | undefined;
  #hurry: () => void = () => undefined;
  readonly #hurried = new Promise<void>((resolve) => (this.#hurry = resolve));

  constructor(parts: BrokerProcessParts) {
    this.#parts = parts;
    const { config, log, meter, readiness } = parts;
    this.#ops = new OpsServer({
      ...config.ops,
      metrics: (accept) => meter.expose(accept),
      detailed: async (query, accept) => {
        if (query.get('family') !== 'sessions') return undefined;
        const session = parts.node.admin.client(query.get('client_id') ?? '');
        return session && (await exposeSession(session, accept));
      },
      ready: () => readiness.checks(),
      started: () => ({ start: readiness.phase === 'starting' ? 'in progress' : 'ok' }),
      log,
    });
  }

  /**
   * Starts: ops port first, so that probes see the rest; then what the operator may have to correct; commands when there is a node to command; MQTT last, when clients can
   * be served. Waits for Redis if need be.
   *
   * @throws StartError when a port cannot be had, or Redis is not fit for its task.
   * @throws ConfigError when a file of a listener cannot be used.
   */
  async start(): Promise<void> {
    const { config, log, overload, node, streams, insight, commands, listeners } = this.#parts;
    await opening('ops.port', this.#ops.open());
    log.info('node-starting', { nodeId: config.node.id, version: config.node.version });
    for (const listener of listeners.all) await listener.prepare();
    await this.#checkRedis();
    await this.#parts.settings.drive(this.#parts.settingsParts);
    await this.#parts.liveListeners.prepare();
    await node.start();
    await this.#parts.auth.drive();
    this.#parts.rules.drive(node);
    this.#parts.flapping.drive(node);
    await this.#startBridge();
    insight.open();
    this.#parts.schedules.open();
    await opening('commands.port', commands.open());
    await this.#openListeners();
    this.#sweeper = setInterval(() => {
      overload.look();
      node.sweep();
      streams.sweep();
      insight.sweep();
      this.#parts.schedules.sweep();
    }, SWEEP_MS);
    this.#parts.readiness.phase = 'serving';
    log.info('node-ready', { nodeId: config.node.id });
  }

  /** One that is made over REST stops no node from starting: it says that it has failed. */
  async #openListeners(): Promise<void> {
    const { liveListeners, listeners, log } = this.#parts;
    for (const listener of listeners.all) {
      if (liveListeners.isStored(listener.name)) {
        await listeners.start(listener.name);
        continue;
      }
      await opening(`listeners.${listener.name}.port`, listener.open());
      log.info('listening', { listener: listener.name, address: listener.address });
    }
    liveListeners.drive();
  }

  /** How long stop() may take, from now on. */
  get stopMsMax(): number {
    const { config, drain, readiness } = this.#parts;
    const { lameDuckSeconds, deadlineSeconds } = config.drain;
    if (readiness.phase !== 'serving') return STOP_MS;
    const shedSeconds = deadlineSeconds === 0 ? drain.secondsMax : deadlineSeconds;
    return STOP_MS + (lameDuckSeconds + shedSeconds) * 1_000;
  }

  /** Has stop() wait for no client any more. */
  hurry(): void {
    this.#hurry();
    this.#parts.drain.hurry();
  }

  /** Stops: no new clients, those connected are sent away, everything taken is handed over, then the ports and stores close. */
  async stop(): Promise<void> {
    const { node, bridge, spool, commands, stores, streams, insight } = this.#parts;
    const closed = await this.#leave();
    clearInterval(this.#sweeper);
    insight.close();
    await this.#parts.schedules.close();
    await node.stop();
    await spool.disinherit();
    await bridge.close();
    await spool.close();
    await closed.listeners;
    streams.close();
    await commands.close();
    await this.#parts.tracer?.close();
    await stores.close();
    await this.#ops.close();
  }

  /** Sends the clients away. What it returns resolves in its field when the last connection has ended. */
  async #leave(): Promise<{ readonly listeners: Promise<void> }> {
    const { config, drain, listeners, log, readiness } = this.#parts;
    const wasServing = readiness.phase === 'serving';
    readiness.phase = 'draining';
    if (!wasServing) return { listeners: listeners.close() };
    drain.start({ kind: 'shutdown', waitSeconds: config.drain.lameDuckSeconds });
    const { waitMs } = drain;
    if (waitMs > 0) {
      log.info('lame-duck', { seconds: waitMs / 1_000 });
      await Promise.race([delay(waitMs, undefined, { ref: false }), this.#hurried]);
    }
    const closed = listeners.close();
    await drain.idle();
    return { listeners: closed };
  }

  async #checkRedis(): Promise<void> {
    const { inspectRedis: inspect, log, readiness } = this.#parts;
    if (inspect === undefined) return;
    const isStopping = (): boolean => readiness.phase === 'draining';
    await opening('redis', checkRedis({ inspect, log, isStopping }));
  }

  async #startBridge(): Promise<void> {
    const { bridge, definitions, spool } = this.#parts;
    await spool.open();
    definitions.drive(bridge);
    spool.inherit(bridge);
  }
}

async function opening(field: string, opened: Promise<void>): Promise<void> {
  try {
    await opened;
  } catch (error) {
    throw new StartError(field, error);
  }
}
