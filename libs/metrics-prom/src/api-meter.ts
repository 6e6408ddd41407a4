import { ByLabel, OPEN_LABEL_MAX, OTHER } from './by-label.ts';
import { API_COUNTERS, API_GAUGES, API_HISTOGRAMS } from './api-catalog.ts';
import { expose, openRegistry, type Exposition } from './exposition.ts';
import { counterFamilies, gaugeFamilies, histogramFamilies } from './family.ts';

/** A request that the API has answered. */
export interface ApiRequest {
  /** The template, for example `/api/v1/clients/:clientId`; never the path. */
  readonly route: string;
  readonly method: string;
  readonly code: number;
  readonly seconds: number;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
/** Codes that every route has from its first request on, so that a rate sees the first failure. */
const CODES = [200, 500, 503];
const CODES_MAX = 20;

/** The kinds of streams. */
const STREAM_KINDS: readonly StreamKind[] = ['events', 'messages', 'stats', 'traces'];

/** The kind of a stream. */
export type StreamKind = 'events' | 'messages' | 'stats' | 'traces';

const OPERATION_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;

/** Where a long operation is. */
export type OperationState = (typeof OPERATION_STATES)[number];

/** Counts what the API process does; one registry of its own, rendered for a scrape. */
export class ApiMeter {
  readonly #registry = openRegistry();
  readonly #counters = counterFamilies(this.#registry, API_COUNTERS);
  readonly #histograms = histogramFamilies(this.#registry, API_HISTOGRAMS);
  readonly #gauges = gaugeFamilies(this.#registry, API_GAUGES);
  readonly #inFlight = this.#gauges.inFlight.cell();
  readonly #streams = this.#gauges.eventStreams.by('kind', STREAM_KINDS);
  readonly #operations = this.#gauges.operations.by('state', OPERATION_STATES);
  readonly #streamDropped = this.#counters.eventStreamDropped.by('kind', STREAM_KINDS);
  readonly #nodeCallDuration = this.#histograms.nodeCallDuration.cell();
  readonly #nodeCalls = this.#counters.nodeCalls.by('outcome', ['ok', 'timeout', 'error'] as const);
  readonly #authentications = {
    api_key: this.#authenticationsOf('api_key'),
    jwt: this.#authenticationsOf('jwt'),
  };
  readonly #rateLimited = this.#counters.rateLimited.by('policy', [
    'requests',
    'publishes',
    'failures',
  ] as const);
  readonly #auditRecords = this.#counters.auditRecords.by('outcome', ['stored', 'failed'] as const);
  readonly #webhookDeliveries = this.#counters.webhookDeliveries.by('outcome', [
    'delivered',
    'failed',
    'retried',
  ] as const);
  readonly #webhookEventsLost = this.#counters.webhookEventsLost.cell();
  readonly #routes = new ByLabel([], (route: string) => this.#routeSeries(route), OPEN_LABEL_MAX);

  /** A request came in. */
  requestStarted(): void {
    this.#inFlight.value += 1;
  }

  /** Ends what `requestStarted` began. A request of no route is given the route `none`. */
  requestFinished({ route, method, code, seconds }: ApiRequest): void {
    this.#inFlight.value -= 1;
    const series = this.#routes.get(route).get(method);
    series.codes.get(code).value += 1;
    series.duration.observe(seconds);
  }

  /** A caller was or was not recognised by its API key or token. */
  authenticated(kind: 'api_key' | 'jwt', outcome: 'allowed' | 'denied' | 'expired'): void {
    this.#authentications[kind].get(outcome).value += 1;
  }

  /** A request was refused because its caller sends too many. */
  rateLimited(policy: 'requests' | 'publishes' | 'failures'): void {
    this.#rateLimited.get(policy).value += 1;
  }

  /** A command to a node was answered, or its deadline passed, or it failed. */
  nodeCalled(outcome: 'ok' | 'timeout' | 'error', seconds: number): void {
    this.#nodeCalls.get(outcome).value += 1;
    this.#nodeCallDuration.observe(seconds);
  }

  /** A record for the audit log was stored, or could not be. */
  audited(outcome: 'stored' | 'failed'): void {
    this.#auditRecords.get(outcome).value += 1;
  }

  /** There are these long operations: the state of each. */
  operations(states: readonly OperationState[]): void {
    for (const state of OPERATION_STATES) {
      this.#operations.get(state).value = states.filter((each) => each === state).length;
    }
  }

  /** A request to a webhook came to something. */
  webhookPosted(outcome: 'delivered' | 'failed' | 'retried'): void {
    this.#webhookDeliveries.get(outcome).value += 1;
  }

  /** So many events did not reach a webhook, and never will. */
  webhookEventsLost(count: number): void {
    this.#webhookEventsLost.value += count;
  }

  /** A stream has begun, or ended. */
  streamed(kind: StreamKind, by: 1 | -1): void {
    this.#streams.get(kind).value += by;
  }

  /** So much could not be sent to the reader of a stream. */
  streamDropped(kind: StreamKind, count: number): void {
    this.#streamDropped.get(kind).value += count;
  }

  /** Renders all series in the format that the scraper's Accept header asks for: Prometheus text or OpenMetrics. */
  expose(accept?: string): Promise<Exposition> {
    return expose(this.#registry, accept);
  }

  #authenticationsOf(kind: 'api_key' | 'jwt') {
    const outcomes = ['allowed', 'denied', 'expired'] as const;
    return this.#counters.authentications.by('outcome', outcomes, { kind });
  }

  #routeSeries(route: string) {
    const make = (method: string) => ({
      codes: new ByLabel(
        CODES,
        (code) => this.#counters.requests.cell({ route, method, code: String(code) }),
        CODES_MAX,
      ),
      duration: this.#histograms.requestDuration.cell({ route, method }),
    });
    const known = new Set(METHODS);
    const methods = new ByLabel<string, ReturnType<typeof make>>([], make, METHODS.length);
    return { get: (method: string) => methods.get(known.has(method) ? method : OTHER) };
  }
}
