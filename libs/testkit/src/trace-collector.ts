import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span that was exported. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty where it begins its trace. */
  readonly parentSpanId: string;
  readonly name: string;
  /** Whose it is: `service.instance.id`. */
  readonly node: string;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly fault: string | undefined;
}

/** A value as OTLP writes it as JSON. */
interface WireValue {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly boolValue?: boolean;
  readonly doubleValue?: number;
}

interface WireAttribute {
  readonly key: string;
  readonly value: WireValue;
}

interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly WireAttribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

interface WireExport {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly WireAttribute[] };
    readonly scopeSpans?: readonly { readonly spans?: readonly WireSpan[] }[];
  }[];
}

const STATUS_ERROR = 2;

/** Takes spans as a collector does: OTLP over HTTP, as JSON. */
export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  /** The headers of the exports. */
  readonly headers: IncomingMessage['headers'][] = [];
  /** What exports are answered with. */
  status = 200;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens one at a free port. */
  static async open(): Promise<TraceCollector> {
    const server = createServer();
    const collector = new TraceCollector(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        collector.headers.push(request.headers);
        if (collector.status === 200) collector.#take(Buffer.concat(chunks).toString());
        response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/v1/traces`;
  }

  /** The spans of a trace in the order of their beginnings. */
  of(traceId: string): readonly CollectedSpan[] {
    const spans = this.spans.filter((span) => span.traceId === traceId);
    return spans.toSorted((one, other) => Number(one.startNanos - other.startNanos));
  }

  /** Takes no more. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #take(text: string): void {
    const { resourceSpans = [] } = JSON.parse(text) as WireExport;
    for (const { resource, scopeSpans = [] } of resourceSpans) {
      const { 'service.instance.id': id } = valuesOf(resource?.attributes);
      const node = typeof id === 'string' ? id : '';
      for (const { spans = [] } of scopeSpans) {
        for (const span of spans) this.spans.push(collected(span, node));
      }
    }
  }
}

/** A trace for people: who did what when, each span below the one that it is part of. */
export function traceTree(spans: readonly CollectedSpan[]): string {
  const [first] = spans;
  if (first === undefined) return '(no spans)';
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const lines = [`trace ${first.traceId}`];
  const add = (span: CollectedSpan, indent: string): void => {
    const ms = (nanos: bigint): string => (Number(nanos) / 1e6).toFixed(2);
    const at = ms(span.startNanos - first.startNanos);
    const lasted = ms(span.endNanos - span.startNanos);
    const { 'messaging.system': system, 'messaging.destination.name': to } = span.attributes;
    const { 'messaging.client.id': client, 'skein.to_node': peer } = span.attributes;
    const about = [system, to, client, peer].filter((value) => value !== undefined && value !== '');
    const fault = span.fault === undefined ? '' : ` FAILED ${span.fault}`;
    lines.push(
      `${indent}${span.name} @${span.node} +${at} ms, ${lasted} ms  ${about.join(' ')}${fault}`,
      `${indent}  span ${span.spanId}${span.parentSpanId && ` of ${span.parentSpanId}`}`,
    );
    for (const each of spans) if (each.parentSpanId === span.spanId) add(each, `${indent}    `);
  };
  for (const span of spans) if (!ids.has(span.parentSpanId)) add(span, '');
  return lines.join('\n');
}

function collected(span: WireSpan, node: string): CollectedSpan {
  const { traceId, spanId, parentSpanId = '', name, links = [], status } = span;
  return {
    ...{ traceId, spanId, parentSpanId, name, node },
    startNanos: BigInt(span.startTimeUnixNano),
    endNanos: BigInt(span.endTimeUnixNano),
    attributes: valuesOf(span.attributes),
    links: links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
    fault: status?.code === STATUS_ERROR ? (status.message ?? '') : undefined,
  };
}

function valuesOf(attributes: readonly WireAttribute[] = []): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, Object.values(value)[0] as unknown]),
  );
}
