import { redisTarget, type Config } from '#libs/config';
import type { RedisTarget } from '#libs/redis-client';

/** How API and nodes reach each other: through the cluster's Redis, or by TCP to the one embedded node. */
export type CommandTransport =
  | ({ readonly kind: 'redis' } & RedisTarget)
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** What both ends of node commands must agree on. */
export interface CommandChannel {
  readonly transport: CommandTransport;
  /** Start of the names of all patterns; other clusters in the same Redis have another one. */
  readonly scope: string;
}

/**
 * The channel that a configuration means.
 *
 * @throws ConfigError when a file that it names cannot be read.
 */
export function commandChannel(config: Config): CommandChannel {
  const target = redisTarget(config);
  return {
    transport:
      target === undefined ? { kind: 'tcp', ...config.commands } : { kind: 'redis', ...target },
    scope: `${config.redis.keyPrefix}:${config.node.clusterName}`,
  };
}

/** The pattern that one node answers. */
export function nodePattern(channel: CommandChannel, nodeId: string): string {
  return `${channel.scope}.node.${nodeId}`;
}

/** The pattern that every node answers; the first answer wins. */
export function anyPattern(channel: CommandChannel): string {
  return `${channel.scope}.any`;
}
