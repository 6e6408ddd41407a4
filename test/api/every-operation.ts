import { fastify, type FastifyInstance } from 'fastify';
import { OPERATIONS, type Operation } from '#libs/api-contracts';
import type { ApiState } from '#libs/broker-ports';
import { loadConfig } from '#libs/config';
import { ApiMeter } from '#libs/metrics-prom';
import { openLocalApiState } from '#libs/store-local';
import { silentLog } from '#libs/testkit';
import { AuditLog } from '../../apps/api/src/audit/audit-log.ts';
import { Guard } from '../../apps/api/src/guard/guard.ts';
import { installConventions } from '../../apps/api/src/http/conventions.ts';
import { Idempotency } from '../../apps/api/src/http/idempotency.ts';
import { answerProblem } from '../../apps/api/src/http/problem-filter.ts';
import { problemOf } from '../../apps/api/src/http/problem-of.ts';
import { routeOf } from '../../apps/api/src/http/route.ts';
import { KEY } from './api-harness.ts';

/** A server with every operation behind all that holds for every request. */
export interface EveryOperation {
  readonly server: FastifyInstance;
  readonly guard: Guard;
  readonly audit: AuditLog;
  readonly meter: ApiMeter;
}

/** Callers are not held back for asking a lot. */
const UNLIMITED = {
  SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '0',
  SKEIN_API_RATE_LIMITS_PUBLISHES_PER_SECOND: '0',
  SKEIN_API_RATE_LIMITS_FAILURES_PER_SECOND: '0',
};

/**
 * Opens it; each operation is answered with 204 at once.
 *
 * @param change - replaces a part of the state.
 */
export async function everyOperation(
  more: Readonly<Record<string, string>> = {},
  change: (state: ApiState) => ApiState = (state) => state,
): Promise<EveryOperation> {
  const config = loadConfig({ env: { SKEIN_API_KEY: KEY, ...UNLIMITED, ...more } });
  const state = change(await openLocalApiState({ clock: Date.now }));
  const meter = new ApiMeter();
  const parts = { config, state, meter, log: silentLog };
  const guard = new Guard({ ...parts, now: Date.now });
  const audit = new AuditLog(parts);
  const idempotency = new Idempotency({ ...parts, secret: () => guard.secret.value });
  const server = fastify();
  installConventions(server, { ...parts, guard, audit, idempotency });
  server.setErrorHandler((error, request, reply) =>
    answerProblem(problemOf(error, { method: request.method, path: '' }), request, reply),
  );
  for (const operation of Object.values<Operation>(OPERATIONS)) {
    server.route({
      method: operation.method.toUpperCase(),
      url: routeOf(operation),
      handler: (_, reply) => reply.code(204).header('etag', '"2"').send(),
    });
  }
  await server.ready();
  return { server, guard, audit, meter };
}
