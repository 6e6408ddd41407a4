import type { WireFeature } from '#libs/api-contracts';
import type { Connector } from '#libs/broker-ports';
import { enabledListeners, hasRedis, hasSpool, type Config } from '#libs/config';

/** What Skein can do, and whether a node does it. @param connectors - those of the configuration and those made over REST. */
export function featuresOf(
  config: Config,
  connectors: readonly Pick<Connector, 'kind'>[],
): readonly WireFeature[] {
  const listeners = enabledListeners(config);
  const sources = new Set<string>(config.auth.chain?.map(({ kind }) => kind));
  const bridges = new Set(connectors.map(({ kind }) => kind));
  const enabled: Readonly<Record<string, boolean>> = {
    cluster: hasRedis(config.redis),
    'durable-storage': hasRedis(config.redis) || config.data.dir !== undefined,
    tls: listeners.some(({ tls }) => tls !== undefined),
    websocket: listeners.some(({ transport }) => transport === 'ws'),
    'proxy-protocol': listeners.some(({ proxyProtocol }) => proxyProtocol === 'required'),
    'auth-password': config.auth.users.length > 0 || sources.has('users'),
    'auth-stored-users': sources.has('stored'),
    'auth-jwt': sources.has('jwt'),
    'auth-certificate': sources.has('certificate'),
    'auth-webhook': sources.has('webhook'),
    'delayed-messages': config.delayed.enabled,
    'exclusive-subscriptions': config.exclusiveSubscriptions.enabled,
    'shared-subscriptions': listeners.some(({ rules }) => rules.sharedSubscriptions),
    'retained-messages': listeners.some(({ rules }) => rules.retain),
    'topic-rewrite': config.topics.rewrite.length > 0,
    'auto-subscriptions': config.topics.autoSubscribe.length > 0,
    'sys-topics': config.topics.sysIntervalSeconds > 0,
    'flapping-bans': config.flapping.connectionsMax > 0,
    'overload-protection': config.overload.enabled,
    'bridge-kafka': bridges.has('kafka'),
    'bridge-webhook': bridges.has('webhook'),
    'bridge-rabbitmq': bridges.has('rabbitmq'),
    'bridge-spool': hasSpool(config),
  };
  return Object.entries(enabled).map(([name, isEnabled]) => ({ name, enabled: isEnabled }));
}
