import type { z } from 'zod';
import { apiFaults } from './api-section.ts';
import { backupFaults } from './backups-section.ts';
import { overloadFaults } from './abuse-section.ts';
import { authFaults } from './auth-faults.ts';
import { bridgeFaults, spoolFaults } from './bridge-faults.ts';
import type { ConfigFault } from './config-error.ts';
import { listenerFaults } from './listener-faults.ts';
import { redisFaults } from './redis-faults.ts';
import { hasRedis } from './redis-target.ts';
import type { schema } from './schema.ts';
import { tracingFaults } from './tracing-section.ts';

/** Finds what is wrong between settings that are each right alone. */
export function crossFaults(config: z.output<typeof schema>): readonly ConfigFault[] {
  const faults: ConfigFault[] = [
    ...redisFaults(config.redis),
    ...listenerFaults(config),
    ...bridgeFaults(config),
    ...spoolFaults(config),
    ...apiFaults(config.api),
    ...backupFaults(config.backups),
    ...authFaults(config.auth),
    ...overloadFaults(config.overload),
    ...tracingFaults(config.tracing),
  ];
  if (config.data.dir !== undefined && hasRedis(config.redis)) {
    faults.push({
      field: 'data.dir',
      problem: 'excludes Redis: a cluster keeps its state there',
      fix: 'remove one of them',
    });
  }
  return faults;
}
