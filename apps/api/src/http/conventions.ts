import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Log } from '#libs/broker-ports';
import type { ApiMeter } from '#libs/metrics-prom';
import {
  CSV_TYPE,
  HTPASSWD_TYPE,
  JSON_TYPE,
  OPERATIONS,
  type Operation,
  type ProblemCode,
} from '#libs/api-contracts';
import type { Idempotency } from './idempotency.ts';
import { requireShallow } from './json-depth.ts';
import { parseCsv, parseHtpasswd } from './tables.ts';
import { parseLines } from './ndjson.ts';
import { installOrigins, originOf } from './origin.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Guard } from '../guard/guard.ts';
import { ProblemError } from './problem-error.ts';
import { routeOf } from './route.ts';

/** What holds for every request. */
export interface ConventionsOptions {
  readonly guard: Pick<Guard, 'admit' | 'weigh'>;
  readonly audit: Pick<AuditLog, 'requireWritable' | 'ended'>;
  readonly idempotency: Pick<Idempotency, 'begin' | 'end'>;
  readonly meter: ApiMeter;
  readonly log: Log;
}

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

const OPERATIONS_BY_ROUTE: ReadonlyMap<string, Operation> = new Map(
  Object.values<Operation>(OPERATIONS).map((operation) => [
    `${operation.method} ${routeOf(operation)}`,
    operation,
  ]),
);

/** The operation that a request is for; undefined when there is none. HEAD is GET without its body. */
export function operationOf({ method, routeOptions }: FastifyRequest): Operation | undefined {
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
  return OPERATIONS_BY_ROUTE.get(`${verb} ${routeOptions.url ?? ''}`);
}

/** The caller's request id if it is a plain word, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
}

/** Adds to a server what holds for every request: ids, headers, access, metrics, log. */
export function installConventions(
  server: FastifyInstance,
  { guard, audit, idempotency, meter, log }: ConventionsOptions,
): void {
  const begun = new WeakMap<IncomingMessage, number>();
  // Node.js would answer 417 without a body; an expectation may be ignored as well [RFC 9110 10.1.1].
  server.server.on('checkExpectation', (request, response) =>
    server.server.emit('request', request, response),
  );
  installParsers(server);
  installOrigins(server);
  server.addHook('onRequest', async (request, reply) => {
    begun.set(request.raw, performance.now());
    meter.requestStarted();
    void reply.headers({ ...SECURITY_HEADERS, 'x-request-id': request.id });
    const operation = operationOf(request);
    await guard.admit({ request, reply }, operation);
    const { contentType = JSON_TYPE, otherTypes = [] } = operation?.replies[200] ?? {};
    const types = [contentType, ...otherTypes];
    if (
      operation?.scope !== 'none' &&
      !types.some((each) => accepts(each, request.headers.accept))
    ) {
      throw new ProblemError('not-acceptable', `Replies are ${types.join(' or ')}`);
    }
    await audit.requireWritable(operation);
  });
  server.addHook('preHandler', async (request, reply) => {
    const operation = operationOf(request);
    await guard.weigh({ request, reply }, operation);
    return (await idempotency.begin({ request, reply }, operation)) ? reply : undefined;
  });
  server.addHook('onSend', async (request, reply, payload) => {
    await idempotency.end({ request, reply }, payload);
    return payload;
  });
  server.addHook('onResponse', async (request, reply) => {
    const start = begun.get(request.raw);
    if (start === undefined) return;
    const seconds = (performance.now() - start) / 1_000;
    const { method } = request;
    const route = request.routeOptions.url ?? 'none';
    meter.requestFinished({ route, method, code: reply.statusCode, seconds });
    audit.ended({ request, reply }, operationOf(request), seconds);
    const { statusCode: code } = reply;
    log.debug('request', { ...originOf(request), method, route, code, seconds });
  });
}

/** How bodies are read: each type by a parser that bounds how deep it goes. */
function installParsers(server: FastifyInstance): void {
  const parseJson = server.getDefaultJsonParser('error', 'error');
  server.removeContentTypeParser(['text/plain', JSON_TYPE]);
  server.addContentTypeParser<string>(
    [JSON_TYPE, 'application/merge-patch+json'],
    { parseAs: 'string' },
    (request, text, done) => {
      try {
        requireShallow(text);
      } catch (error) {
        done(error as Error);
        return;
      }
      void parseJson(request, text, done);
    },
  );
  server.addContentTypeParser(
    'application/x-ndjson',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => parseLines(text),
  );
  server.addContentTypeParser(
    CSV_TYPE,
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => parseCsv(text),
  );
  server.addContentTypeParser(
    HTPASSWD_TYPE,
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => parseHtpasswd(text),
  );
}

function accepts(type: string, accept = '*/*'): boolean {
  const family = `${type.split('/', 1)[0] ?? ''}/*`;
  return accept.split(',').some((range) => {
    const [given = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    return !refused && ['*/*', family, type].includes(given);
  });
}

/** Answers what never became a request: a head that is too large, or no HTTP at all. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code: ProblemCode =
    error.code === 'HPE_HEADER_OVERFLOW' ? 'head-too-large' : 'validation-failed';
  const detail = code === 'head-too-large' ? 'The request head is too large' : 'This is not HTTP';
  const problem = new ProblemError(code, detail);
  const body = JSON.stringify(problem.body('', randomUUID()));
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.body('', '').title}\r\n` +
      'content-type: application/problem+json\r\nconnection: close\r\n' +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
