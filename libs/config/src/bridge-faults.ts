import type { z } from 'zod';
import { ruleGroundFaults } from '#libs/broker-ports';
import { connectorFaults } from './connector-faults.ts';
import type { ConfigFault } from './config-error.ts';
import type { schema } from './schema.ts';
import { hasRedis } from './redis-target.ts';
import { hasSpool, type SpoolSettings } from './spool-dir.ts';

type RedisNeeds = Pick<z.output<typeof schema>, 'redis'>;
type Bridges = Pick<z.output<typeof schema>, 'bridges' | 'bridgeRules'>;

/** Finds what is wrong between bridges and their rules. */
export function bridgeFaults({ bridges, bridgeRules }: Bridges): readonly ConfigFault[] {
  return [
    ...repeatedIds('bridges', bridges),
    ...repeatedIds('bridgeRules', bridgeRules),
    ...bridges.flatMap((bridge, index) =>
      connectorFaults(bridge).map(({ path, ...fault }) => ({
        field: `bridges[${index}].${path.join('.')}`,
        ...fault,
      })),
    ),
    ...bridgeRules.flatMap((rule, index) =>
      ruleGroundFaults(rule, bridges).map(({ field, ...fault }) => ({
        field: `bridgeRules[${index}].${field}`,
        ...fault,
      })),
    ),
  ];
}

/** Finds rules that need a spool where there is none. */
export function spoolFaults(
  config: SpoolSettings & RedisNeeds & Pick<Bridges, 'bridgeRules'>,
): readonly ConfigFault[] {
  if (hasSpool(config)) return placeFaults(config);
  return config.bridgeRules.flatMap((rule, index) =>
    rule.direction === 'kafka-to-mqtt' || rule.ack !== 'spool'
      ? []
      : [
          {
            field: `bridgeRules[${index}].ack`,
            problem: 'is spool, and the node has none',
            fix: 'set bridge.spool.dir (SKEIN_BRIDGE_SPOOL_DIR), or choose another',
          },
        ],
  );
}

/** A spool in Redis needs one, and no directory. */
function placeFaults({ bridge, redis }: SpoolSettings & RedisNeeds): readonly ConfigFault[] {
  const { kind, dir } = bridge.spool;
  if (kind !== 'redis') return [];
  if (!hasRedis(redis)) {
    const fix = 'set redis.url (SKEIN_REDIS_URL), or bridge.spool.kind to local';
    return [{ field: 'bridge.spool.kind', problem: 'is redis, and the node has none', fix }];
  }
  if (dir === undefined) return [];
  const fix = 'remove it, or set bridge.spool.kind to local';
  return [{ field: 'bridge.spool.dir', problem: 'is of no use to a spool in Redis', fix }];
}

function repeatedIds(list: string, items: readonly { readonly id: string }[]): ConfigFault[] {
  const ids = items.map(({ id }) => id);
  return ids.flatMap((id, index) =>
    ids.indexOf(id) === index
      ? []
      : [
          {
            field: `${list}[${index}].id`,
            problem: 'is the id of an earlier one',
            fix: 'give every item of the list an id of its own',
          },
        ],
  );
}
