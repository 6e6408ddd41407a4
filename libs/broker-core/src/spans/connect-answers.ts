import {
  TRACEPARENT,
  TRACESTATE,
  parseTraceparent,
  type LogFields,
  type Span,
  type TraceContext,
  type Tracer,
} from '#libs/broker-ports';
import {
  userPropertyNamed,
  type ConnectPacket,
  type ProtocolVersion,
  type ReasonCode,
} from '#libs/mqtt-codec';
import { RefusalLog } from '../abuse/refusal-log.ts';
import type { Connection } from '../connection.ts';
import { reasonNameOf } from '../disconnect-reason.ts';
import type { NodeParts } from '../parts.ts';
import { TraceIds } from './trace-ids.ts';

type AnswerParts = Pick<NodeParts, 'bus' | 'log' | 'meter' | 'nowMs' | 'tracer'>;

/** Counts and tells how CONNECT packets are answered, and makes spans of those that are sampled. */
export class ConnectAnswers {
  readonly #parts: AnswerParts;
  readonly #refusals: RefusalLog;
  readonly #ids = new TraceIds();
  /** Of those that are sampled and not answered. */
  readonly #spans = new WeakMap<Connection, Span>();
  #count = 0;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.#refusals = new RefusalLog(parts.log, parts.nowMs);
  }

  /** A CONNECT has come. */
  began(connection: Connection, packet: ConnectPacket): void {
    connection.claimedId = packet.clientId;
    const { tracer } = this.#parts;
    if (tracer !== undefined) this.#trace(tracer, connection, packet);
  }

  accepted(connection: Connection, version: ProtocolVersion): void {
    const { meter, nowMs } = this.#parts;
    const { listener } = connection.transport;
    meter.connectFinished(listener, version, 'success');
    meter.connectDuration(listener, (nowMs() - connection.acceptedAtMs) / 1000);
    if (this.#parts.tracer !== undefined) this.#spans.get(connection)?.end();
  }

  refused(connection: Connection, reasonCode: ReasonCode, detail: string): void {
    const { listener, remoteAddress: address } = connection.transport;
    const reason = reasonNameOf(reasonCode);
    this.#parts.meter.connectFinished(listener, connection.version, reason);
    const { claimedId: clientId } = connection;
    const span = this.#spans.get(connection);
    span?.end(reason);
    const refusal = { listener, reasonCode, detail, clientId, address };
    this.#refusals.tell(refusal, placeOf(span?.context));
  }

  #trace(tracer: Tracer, connection: Connection, packet: ConnectPacket): void {
    const { userProperties = [] } = packet.properties ?? {};
    const found = parseTraceparent(userPropertyNamed(userProperties, TRACEPARENT) ?? '');
    this.#count += 1;
    const portion = this.#ids.portion({ source: this.#parts.bus.self, sequence: this.#count });
    if (!(found?.sampled ?? portion < tracer.sampleRatio)) return;
    const state = userPropertyNamed(userProperties, TRACESTATE);
    const { listener, remoteAddress } = connection.transport;
    const span = tracer.start({
      ...{ name: 'connect', kind: 'server', parent: found && { ...found.context, state } },
      attributes: {
        'messaging.system': 'mqtt',
        'messaging.operation.name': 'connect',
        'messaging.client.id': packet.clientId,
        'network.protocol.name': 'mqtt',
        'network.peer.address': remoteAddress,
        'skein.listener': listener,
      },
    });
    this.#spans.set(connection, span);
  }
}

function placeOf(context: TraceContext | undefined): LogFields {
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
}
