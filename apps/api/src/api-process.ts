import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { REQUEST_HEAD_BYTES_MAX, type NodeCommand, type NodeReply } from '#libs/api-contracts';
import type { ApiState, Log } from '#libs/broker-ports';
import { ConfigError, type Config } from '#libs/config';
import { ApiMeter } from '#libs/metrics-prom';
import {
  NestLogger,
  NodeCommandClient,
  OpsServer,
  commandChannel,
  startupFault,
  type Health,
} from '#libs/nest-support';
import { ApiModule } from './api.module.ts';
import { OPERATION_KINDS } from './operations/kinds.ts';
import { Operations } from './operations/operations.ts';
import { Streams } from './streams/streams.ts';
import { AuditLog } from './audit/audit-log.ts';
import { Cluster } from './cluster/cluster.ts';
import { FirstKey } from './guard/first-key.ts';
import { Guard } from './guard/guard.ts';
import {
  answerClientError,
  installConventions,
  operationOf,
  requestIdOf,
} from './http/conventions.ts';
import { Idempotency } from './http/idempotency.ts';
import { ProblemFilter, answerProblem } from './http/problem-filter.ts';
import { problemOf } from './http/problem-of.ts';
import { openState } from './state/open-state.ts';
import { WebhookSecrets } from './webhooks/webhook-secrets.ts';
import { Webhooks } from './webhooks/webhooks.ts';

/** What a JSON body has beyond its payload. */
const BODY_OVERHEAD_BYTES = 64 * 1024;

/** The operator must change something before the API can start; the message is one line per fault. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

/** The API as a process: HTTP server, ops port and the connection to the nodes. */
export class ApiProcess {
  readonly #config: Config;
  readonly #log: Log;
  readonly #meter = new ApiMeter();
  readonly #streams = new Streams(this.#meter);
  readonly #client: NodeCommandClient<NodeCommand, NodeReply>;
  readonly #cluster: Cluster;
  readonly #ops: OpsServer;
  #app: NestFastifyApplication | undefined;
  #audit: AuditLog | undefined;
  #state: ApiState | undefined;
  #operations: Operations | undefined;
  #firstKey: FirstKey | undefined;
  #webhooks: Webhooks | undefined;
  readonly #announce: (text: string) => void;
  #url = '';

  /** @param announce - shows a text to whoever starts the process, and keeps it nowhere. */
  constructor(config: Config, log: Log, announce: (text: string) => void = () => {}) {
    this.#announce = announce;
    this.#config = config;
    this.#log = log;
    const channel = commandChannel(config);
    this.#client = new NodeCommandClient({ channel, log });
    this.#cluster = new Cluster({
      client: this.#client,
      timeoutMs: config.api.nodeTimeoutMs,
      meter: this.#meter,
    });
    this.#ops = new OpsServer({
      host: config.ops.host,
      port: config.api.opsPort,
      metrics: async (accept) => {
        await this.#operations?.measure();
        return this.#meter.expose(accept);
      },
      ready: () => this.#ready(),
      started: () => ({ http: this.#url === '' ? 'not listening' : 'ok' }),
      log,
    });
  }

  /** Where the API listens; empty before it does. */
  get url(): string {
    return this.#url;
  }

  /** The ops port. */
  get opsPort(): number {
    return this.#ops.port;
  }

  /**
   * Begins to listen; nodes may come later.
   *
   * @throws StartFault when the configuration or a taken port forbids it.
   */
  async start(): Promise<void> {
    const { host, port } = this.#config.api;
    await opening('api.opsPort', this.#ops.open());
    this.#state = await this.#openState();
    const guard = new Guard({
      ...{ config: this.#config, state: this.#state, meter: this.#meter, log: this.#log },
      now: Date.now,
    });
    this.#streams.holdTo((request) => guard.stillAdmits(request, operationOf(request)));
    this.#firstKey = new FirstKey(guard, this.#announce, Date.now);
    await this.#firstKey.begin(this.#config);
    this.#webhooks = this.#createWebhooks(guard, this.#state);
    const app = await this.#createApp(guard, this.#state, this.#webhooks);
    this.#app = app;
    await app.init();
    // Not through Nest, which logs a taken port in its own words too.
    const server = app.getHttpAdapter().getInstance();
    this.#url = await opening('api.port', server.listen({ port, host }));
    this.#operations?.open();
    this.#webhooks.start();
    this.#log.info('api-listening', {
      url: this.#url,
      docs: `${this.#url}/api/docs`,
      access: (await this.#firstKey.isOpen(this.#config))
        ? 'this machine, without a key'
        : 'API keys',
    });
  }

  /** Stops listening, ends requests under way and leaves the nodes. */
  async stop(): Promise<void> {
    this.#firstKey?.close();
    // The server waits for requests under way, of which streams are some.
    const closed = this.#app?.close();
    await this.#streams.close();
    await this.#operations?.close();
    await this.#webhooks?.close();
    await closed;
    await this.#audit?.close();
    await this.#client.close();
    await this.#state?.close();
    await this.#ops.close();
  }

  async #createApp(
    guard: Guard,
    state: ApiState,
    webhooks: Webhooks,
  ): Promise<NestFastifyApplication> {
    const log = this.#log;
    const adapter = new FastifyAdapter({
      // A payload grows by a third in base64.
      bodyLimit: Math.ceil((this.#config.limits.packetBytesMax * 4) / 3) + BODY_OVERHEAD_BYTES,
      routerOptions: { maxParamLength: REQUEST_HEAD_BYTES_MAX },
      http: { maxHeaderSize: REQUEST_HEAD_BYTES_MAX },
      requestTimeout: 30_000,
      genReqId: requestIdOf,
      trustProxy: [...this.#config.api.trustedProxies],
      clientErrorHandler: answerClientError,
      // A path that cannot be decoded never reaches the filter.
      frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
        answerProblem(problemOf(error, { method: request.method, path: '' }), request, reply),
    });
    const meter = this.#meter;
    const audit = new AuditLog({ config: this.#config, state, meter, log });
    this.#audit = audit;
    const idempotency = new Idempotency({ state, secret: () => guard.secret.value, log });
    installConventions(adapter.getInstance(), { guard, audit, idempotency, meter, log });
    const parts = { config: this.#config, cluster: this.#cluster, state, guard };
    const operations = new Operations({
      ...{ parts: { ...parts, log }, kinds: OPERATION_KINDS, meter },
    });
    this.#operations = operations;
    const app = await NestFactory.create<NestFastifyApplication>(
      ApiModule.with({ ...parts, log, streams: this.#streams, audit, operations, webhooks }),
      adapter,
      // Fastify's own JSON parser serves; Nest would add one for forms, which any web page can send.
      { bodyParser: false, logger: new NestLogger(log), abortOnError: false },
    );
    app.useGlobalFilters(new ProblemFilter(log));
    return app;
  }

  #createWebhooks(guard: Guard, state: ApiState): Webhooks {
    const secrets = new WebhookSecrets(async () => {
      await guard.secret.load();
      return guard.secret.value;
    });
    const { allowPrivate } = this.#config.api.webhooks;
    return new Webhooks({
      ...{ state, secrets, allowPrivate, cluster: this.#cluster, now: Date.now },
      ...{ meter: this.#meter, log: this.#log },
    });
  }

  async #openState(): Promise<ApiState> {
    try {
      return await openState(this.#config, this.#log);
    } catch (error) {
      if (error instanceof ConfigError || !(error instanceof Error)) throw error;
      throw new StartFault(`data.dir: ${error.message}`, { cause: error });
    }
  }

  async #ready(): Promise<Health> {
    const http = this.#url === '' ? 'not listening' : 'ok';
    const state = this.#state?.isReachable === true ? 'ok' : 'the store cannot be reached';
    try {
      await this.#cluster.inquire().nodes();
      return { http, state, nodes: 'ok' };
    } catch {
      return { http, state, nodes: 'no node answers' };
    }
  }
}

async function opening<T>(field: string, opened: Promise<T>): Promise<T> {
  try {
    return await opened;
  } catch (error) {
    const fault = startupFault(error, field);
    throw fault === undefined ? error : new StartFault(fault, { cause: error });
  }
}

/** What to tell the operator of an error at the start; undefined for a bug. */
export function faultOf(error: unknown): string | undefined {
  return error instanceof StartFault || error instanceof ConfigError ? error.message : undefined;
}
