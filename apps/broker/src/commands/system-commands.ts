import type {
  CommandOf,
  NodeAnswers,
  SystemAnswers,
  SystemCommand,
  WireListener,
  WireNodeStats,
} from '#libs/api-contracts';
import type { BrokerNode } from '#libs/broker-core';
import type { Connector, StoredDefinition } from '#libs/broker-ports';
import { settingsInForce } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import { featuresOf } from '../features.ts';
import type { HealthChecks } from '../health-checks.ts';
import type { NodeDrain } from '../node-drain.ts';
import type { LiveSettings } from '../settings/live-settings.ts';
import type { ListenerSet } from '../listeners/listener-set.ts';

/** What commands on the system work on. */
export interface SystemCommandsOptions {
  readonly live: Pick<LiveSettings, 'shown'>;
  readonly node: Pick<BrokerNode, 'gauges' | 'forget' | 'admin'>;
  readonly overload: { readonly level: number };
  readonly listeners: ListenerSet;
  readonly drain: Pick<NodeDrain, 'start' | 'view' | 'isActive'>;
  readonly health: Pick<HealthChecks, 'run'>;
  readonly meter: Pick<PromMeter, 'samples'>;
  readonly connectors: () => Promise<readonly StoredDefinition<Connector>[]>;
  /** Memory, CPU and uptime of the process. */
  readonly process: () => ProcessFigures;
}

/** What a process takes. */
export type ProcessFigures = Pick<
  WireNodeStats,
  'uptimeMs' | 'residentBytes' | 'heapUsedBytes' | 'heapLimitBytes' | 'cpuSeconds'
>;

/** A node as a part of the system: its health, figures, configuration and listeners. */
export class SystemCommands {
  readonly #options: SystemCommandsOptions;

  constructor(options: SystemCommandsOptions) {
    this.#options = options;
  }

  /** Carries out a command of this group. */
  answer(
    command: SystemCommand,
  ): Promise<SystemAnswers[SystemCommand['kind']]> | SystemAnswers[SystemCommand['kind']] {
    const { health, live, node } = this.#options;
    switch (command.kind) {
      case 'node-health':
        return { checks: health.run(command.certificatesWithinMs) };
      case 'node-features':
        return this.#features();
      case 'node-stats':
        return this.#stats();
      case 'node-metrics':
        return this.#metrics();
      case 'node-config':
        return { settings: settingsInForce(live.shown) };
      case 'forget-node':
        return node.forget(command.nodeId).then((kind) => ({ kind }));
      case 'listeners':
        return { listeners: this.#listeners() };
      case 'switch-listener':
        return this.#switch(command);
      case 'certificates':
        return { certificates: this.#certificates() };
      case 'reload-certificates':
        return this.#reload();
    }
  }

  async #features(): Promise<NodeAnswers['node-features']> {
    const { live, connectors } = this.#options;
    const config = live.shown;
    const { version, commit } = config.node;
    const stored = (await connectors()).map(({ item }) => item);
    return { version, commit, features: featuresOf(config, stored) };
  }

  #stats(): WireNodeStats {
    const { node, overload, process } = this.#options;
    const { inflightIn, inflightOut, queueMessages, queueBytes, ...gauges } = node.gauges();
    const { connections, sessions, subscriptions, slowConsumers } = gauges;
    const { retainedMessages, retainedBytes, delayedMessages, delayedBytes } = gauges;
    const { messagesReceived, messagesSent } = node.admin.status();
    return {
      ...process(),
      overloadLevel: overload.level,
      ...{ connections, sessions, subscriptions, slowConsumers },
      ...{ inflightIn, inflightOut, queueMessages, queueBytes: Math.round(queueBytes) },
      ...{ retainedMessages, retainedBytes, delayedMessages, delayedBytes },
      ...{ messagesReceived, messagesSent },
    };
  }

  async #metrics(): Promise<NodeAnswers['node-metrics']> {
    const metrics = await this.#options.meter.samples();
    return {
      metrics: metrics.map(({ samples, ...metric }) => ({
        ...metric,
        // JSON knows neither NaN nor infinity.
        samples: samples.map(({ value, ...each }) => ({
          ...each,
          value: Number.isFinite(value) ? value : null,
        })),
      })),
    };
  }

  #listeners(): readonly WireListener[] {
    const { listeners, node, drain } = this.#options;
    const stopping = drain.isActive ? drain.view?.listener : undefined;
    const { connections } = node.gauges();
    return listeners.views().map((view) => ({
      ...view,
      ...(view.name === stopping && view.state === 'stopped' && { state: 'stopping' as const }),
      connections: connections
        .filter(({ listener }) => listener === view.name)
        .reduce((sum, { count }) => sum + count, 0),
    }));
  }

  async #switch({
    name,
    action,
    drain: sendsAway = false,
  }: CommandOf<'switch-listener'>): Promise<SystemAnswers['switch-listener']> {
    const { listeners, drain } = this.#options;
    if (listeners.view(name) === undefined) return {};
    if (sendsAway && drain.isActive) return { isDraining: true };
    if (action !== 'start') await listeners.stop(name);
    if (action !== 'stop') await listeners.start(name);
    if (sendsAway) drain.start({ kind: 'listener', listener: name });
    return { listener: this.#listeners().find((each) => each.name === name) };
  }

  #certificates(): NodeAnswers['certificates']['certificates'] {
    return this.#options.listeners.all.flatMap((listener) =>
      listener.certificates().map((each) => ({ listener: listener.name, ...each })),
    );
  }

  async #reload(): Promise<NodeAnswers['reload-certificates']> {
    const secure = this.#options.listeners.all.filter(
      (listener) => listener.certificates().length > 0,
    );
    const results = secure.map(async (listener) => {
      try {
        await listener.reload();
        return { listener: listener.name };
      } catch (error) {
        return { listener: listener.name, fault: (error as Error).message };
      }
    });
    return { results: await Promise.all(results) };
  }
}
