import { SinkError, testInSteps, type Sink, type SinkRecord } from '#libs/bridge';
import type { BridgeTest, BridgeTestStep, WebhookConnector } from '#libs/broker-ports';
import { answerError } from './http-answer.ts';
import { batchBody, singleBody, type HttpBody } from './http-body.ts';
import type { HttpClient } from './http-client.ts';

/** What a webhook sink works with. */
export interface WebhookSinkOptions {
  readonly client: HttpClient;
  readonly connector: WebhookConnector;
  readonly ruleId: string;
}

/** Answers of a proxy whose server is away. */
const AWAY = new Set([502, 503, 504]);

const DENIED = new Set([...AWAY, 401, 403, 407]);
const ABSENT = new Set([...DENIED, 404, 410]);

/**
 * The sink on HTTP: a target is a path, and each of its lanes has one POST under way. 2xx means stored.
 *
 * @remarks Each request carries an Idempotency-Key of rule and `mqtt-msg-id`, by which the endpoint can tell a repeat. With
 * the format `single` a record that was answered with 2xx is not posted again when its batch is repeated, and one that is
 * refused holds up no other.
 */
export class WebhookSink implements Sink {
  readonly #options: WebhookSinkOptions;
  readonly #stored = new WeakSet<SinkRecord>();
  /** Why the last request failed, when repeating it may help. */
  #fault: SinkError | undefined;
  #restUntilMs = 0;

  constructor(options: WebhookSinkOptions) {
    this.#options = options;
  }

  /** Asks for the headers of the URL: any answer will do, but not while posts fail. */
  async ping(): Promise<void> {
    const { client } = this.#options;
    const body = Buffer.alloc(0);
    const { status } = await client.request({ method: 'HEAD', path: '/', headers: {}, body });
    if (AWAY.has(status)) throw new SinkError('UNAVAILABLE', `the endpoint answered ${status}`);
    if (this.#fault !== undefined) throw this.#fault;
  }

  lanes(): Promise<number> {
    return Promise.resolve(this.#options.connector.concurrency);
  }

  async send(
    path: string,
    lane: number,
    records: readonly SinkRecord[],
  ): Promise<readonly number[]> {
    const { format } = this.#options.connector;
    if (format === 'single') await this.#postEach(path, records);
    else await this.#post(path, records, batchBody(records, format));
    return [lane];
  }

  renew(): void {
    // Every request has an identity of its own.
  }

  test({ target, withinMs }: BridgeTest): AsyncIterable<BridgeTestStep> {
    return testInSteps({
      withinMs,
      endpoints: () => [this.#options.client.endpoint()],
      auth: () => this.#look('/', DENIED),
      target: target === undefined ? undefined : () => this.#look(target, ABSENT),
    });
  }

  close(): Promise<void> {
    this.#options.client.close();
    return Promise.resolve();
  }

  /** Asks for the headers of a path, which changes nothing; many endpoints answer that they take POST only. */
  async #look(path: string, faults: ReadonlySet<number>): Promise<string> {
    const body = Buffer.alloc(0);
    const { status } = await this.#options.client.request({
      method: 'HEAD',
      path,
      headers: {},
      body,
    });
    if (faults.has(status)) throw new Error(`the endpoint answered HEAD with ${status}`);
    return `HEAD was answered with ${status}`;
  }

  async #postEach(path: string, records: readonly SinkRecord[]): Promise<void> {
    const refused = new Map<SinkRecord, SinkError>();
    let refusal: SinkError | undefined;
    for (const record of records) {
      if (this.#stored.has(record)) continue;
      try {
        await this.#post(path, [record], singleBody(record));
        this.#stored.add(record);
      } catch (error) {
        if (!(error instanceof SinkError) || !isOfRecord(error)) throw error;
        refusal ??= error;
        refused.set(record, error);
      }
    }
    if (refusal !== undefined) throw new SinkError(refusal.code, refusal.message, { refused });
  }

  /** @throws SinkError unless the answer is 2xx. */
  async #post(
    path: string,
    records: readonly SinkRecord[],
    { headers, body }: HttpBody,
  ): Promise<void> {
    const restMs = this.#restUntilMs - performance.now();
    if (restMs > 0)
      throw new SinkError('UNAVAILABLE', 'the endpoint asked for a rest', { retryAfterMs: restMs });
    try {
      const answer = await this.#options.client.request({
        method: 'POST',
        path,
        headers: { ...headers, ...this.#identity(records) },
        body,
      });
      const error = answerError(answer);
      if (error !== undefined) throw error;
      this.#fault = undefined;
    } catch (error) {
      if (error instanceof SinkError && error.code === 'UNAVAILABLE') {
        this.#fault = error;
        this.#restUntilMs = performance.now() + (error.retryAfterMs ?? 0);
      }
      throw error;
    }
  }

  #identity(records: readonly SinkRecord[]): Readonly<Record<string, string>> {
    const first = records[0]?.headers['mqtt-msg-id'];
    const last = records.at(-1)?.headers['mqtt-msg-id'];
    if (typeof first !== 'string' || typeof last !== 'string') return {};
    const span = records.length === 1 ? first : `${first}..${last}`;
    // A dead letter is no repeat of the record that was refused.
    const kind = records[0]?.headers['skein-error'] === undefined ? '' : '/dead-letter';
    return { 'idempotency-key': `${this.#options.ruleId}/${span}${kind}` };
  }
}

/** Whether a refusal says something about the record, and nothing about the next one. */
function isOfRecord({ code }: SinkError): boolean {
  return code === 'TOO_LARGE' || code === 'REJECTED';
}
