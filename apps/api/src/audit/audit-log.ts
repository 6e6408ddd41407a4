import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  OPERATIONS,
  type AuditRecord,
  type Operation,
  type OperationId,
} from '#libs/api-contracts';
import type { ApiJournal, ApiJournalRecord, ApiState, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { ApiMeter } from '#libs/metrics-prom';
import { callerOf } from '../guard/caller.ts';
import { ProblemError } from '../http/problem-error.ts';

/** What is stored of a record; its id and time are the journal's. */
export type StoredAuditRecord = Omit<AuditRecord, 'id' | 'time'>;

/** What the audit log is made with. */
export interface AuditLogOptions {
  readonly config: Pick<Config, 'api'>;
  readonly state: ApiState;
  readonly meter: ApiMeter;
  readonly log: Log;
}

const DAY_MS = 86_400_000;
const RESOURCE_MAX = 1_024;
const FIELDS_MAX = 50;
const FIELD_CHARACTERS_MAX = 100;
const CREATED = 201;
const TOO_MANY = 429;
const UNAUTHENTICATED = 401;

const IDS: ReadonlyMap<Operation, OperationId> = new Map(
  Object.entries(OPERATIONS).map(([id, operation]) => [operation, id as OperationId]),
);

/** Who changed what: a record for each request that may change something, and for each credential that was refused. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #journal: ApiJournal<StoredAuditRecord>;
  readonly #pending = new Set<Promise<void>>();

  constructor(options: AuditLogOptions) {
    this.#options = options;
    const { recordsMax, days } = options.config.api.audit;
    this.#journal = options.state.journal('audit', {
      entriesMax: recordsMax,
      ageMsMax: days * DAY_MS,
    });
  }

  /**
   * Refuses a change that could not be recorded, where records are required.
   *
   * @throws ProblemError 503.
   */
  async requireWritable(operation: Operation | undefined): Promise<void> {
    const { config } = this.#options;
    if (!config.api.audit.required || operation === undefined || operation.method === 'get') return;
    try {
      await this.#journal.page({ limit: 1 });
    } catch {
      throw new ProblemError(
        'storage-unavailable',
        'Not done: the audit log cannot be written, and the configuration asks for it',
        { nothingDone: true },
      );
    }
  }

  /** Records what became of a request, if it is one of those that leave a record. */
  ended(
    { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
    operation: Operation | undefined,
    seconds: number,
  ): void {
    const { statusCode: status } = reply;
    const isChange = operation !== undefined && operation.method !== 'get';
    // A caller that sends too many would push out what is there.
    if (status === TOO_MANY || (!isChange && !isRefusedCredential(status, request))) return;
    const { config, log } = this.#options;
    const record = recordOf({ request, reply }, operation, seconds);
    if (config.api.audit.log) log.info('audit', lineOf(record));
    const stored = this.#append(record);
    this.#pending.add(stored);
    void stored.finally(() => this.#pending.delete(stored));
  }

  /** A part of the records, the latest first. */
  page(
    before: string | undefined,
    limit: number,
  ): Promise<readonly ApiJournalRecord<StoredAuditRecord>[]> {
    return this.#journal.page({ before, limit });
  }

  /** Ends when what was recorded is stored, or cannot be. */
  async close(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #append(record: StoredAuditRecord): Promise<void> {
    const { meter, log } = this.#options;
    try {
      await this.#journal.append(record);
      meter.audited('stored');
    } catch (error) {
      meter.audited('failed');
      // The log is the only place that is left for it.
      log.warn('audit-not-stored', { ...lineOf(record), message: String(error) });
    }
  }
}

/** A credential that is of nobody, has ended, or comes from where it may not. */
function isRefusedCredential(status: number, request: FastifyRequest): boolean {
  return status === UNAUTHENTICATED || (status === 403 && callerOf(request) === undefined);
}

function recordOf(
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  operation: Operation | undefined,
  seconds: number,
): StoredAuditRecord {
  const caller = callerOf(request);
  const { statusCode: status } = reply;
  return {
    actor: caller?.id ?? 'unknown',
    actor_name: caller?.name ?? null,
    remote_address: request.ip,
    action: (operation && IDS.get(operation)) ?? null,
    method: request.method,
    route: operation?.path ?? null,
    resource: resourceOf(request.url, status, reply.getHeader('location')),
    fields: fieldsOf(request.body),
    before: textOf(request.headers['if-match']),
    after: textOf(reply.getHeader('etag')),
    outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
    status,
    duration_ms: Math.round(seconds * 1000),
    request_id: request.id,
  };
}

/** What a request was about: what it has made, else what it asked for; paths that mean the same are written in the same way. */
function resourceOf(url: string, status: number, location: unknown): string {
  const [path = '', ...query] = url.split('?');
  const whole =
    status === CREATED && typeof location === 'string'
      ? plain(location)
      : [plain(path), ...query].join('?');
  return whole.slice(0, RESOURCE_MAX);
}

/** A path in which only that is percent-encoded which could not stand there as it is. */
function plain(path: string): string {
  const segments = path.split('/').map((segment) => {
    try {
      return encodeURIComponent(decodeURIComponent(segment)).replaceAll(
        /%(?:24|26|2B|2C|3A|3B|3D|40)/g,
        decodeURIComponent,
      );
    } catch {
      return segment;
    }
  });
  return segments.join('/');
}

/** A record as a line of the log, which knows neither lists nor null. */
function lineOf(record: StoredAuditRecord): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(record).flatMap(([name, value]) =>
      value === null ? [] : [[name, Array.isArray(value) ? value.join(',') : value]],
    ),
  );
}

/** The names of what a body has; never its values. */
function fieldsOf(body: unknown): string[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return [];
  return Object.keys(body)
    .slice(0, FIELDS_MAX)
    .map((name) => name.slice(0, FIELD_CHARACTERS_MAX));
}

function textOf(header: unknown): string | null {
  return typeof header === 'string' ? header.slice(0, FIELD_CHARACTERS_MAX) : null;
}
