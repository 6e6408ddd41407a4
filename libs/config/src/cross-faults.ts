import type { z } from 'zod';
import { overloadFaults } from './abuse-section.ts';
import { authFaults } from './auth-faults.ts';
import { bridgeFaults, spoolFaults } from './bridge-faults.ts';
import type { ConfigFault } from './config-error.ts';
import { listenerFaults } from './listener-faults.ts';
import { isLoopback } from './loopback.ts';
import { redisFaults } from './redis-faults.ts';
import { hasRedis } from './redis-target.ts';
import type { schema } from './schema.ts';

/** Finds what is wrong between settings that are each right alone. */
export function crossFaults(config: z.output<typeof schema>): readonly ConfigFault[] {
  const faults: ConfigFault[] = [
    ...redisFaults(config.redis),
    ...listenerFaults(config),
    ...bridgeFaults(config),
    ...spoolFaults(config),
    ...authFaults(config.auth),
    ...overloadFaults(config.overload),
  ];
  if (config.data.dir !== undefined && hasRedis(config.redis)) {
    faults.push({
      field: 'data.dir',
      problem: 'excludes Redis: a cluster keeps its state there',
      fix: 'remove one of them',
    });
  }
  if (config.api.key === undefined && !isLoopback(config.api.host)) {
    faults.push({
      field: 'api.key',
      problem: 'is required when api.host is not a loopback address',
      fix: 'set api.keyFile or SKEIN_API_KEY, or api.host to 127.0.0.1',
    });
  }
  return faults;
}
