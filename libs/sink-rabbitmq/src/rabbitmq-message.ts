import type { Options } from 'amqplib';
import type { SinkRecord } from '#libs/bridge';

/** A record as it is published. */
export interface RabbitmqMessage {
  readonly route: string;
  readonly options: Options.Publish & { readonly messageId: string };
}

/** Of a short text of AMQP. */
const SHORT_BYTES_MAX = 255;
/** Half of the frame that a server takes at least by default: larger headers would end the connection, again and again. */
const HEADERS_BYTES_MAX = 65_536;

/**
 * What of a record goes where: persistent, mandatory, named by its `mqtt-msg-id`.
 *
 * @param place - names a record without an id among those that are under way.
 * @returns why RabbitMQ cannot take it, as a text.
 */
export function messageOf(record: SinkRecord, place: number): RabbitmqMessage | string {
  const { route = '', headers: given, timestampMs } = record;
  if (Buffer.byteLength(route) > SHORT_BYTES_MAX) return 'the routing key has more than 255 bytes';
  const { 'content-type': type, ...rest } = given;
  const isShort = typeof type === 'string' && Buffer.byteLength(type) <= SHORT_BYTES_MAX;
  const headers = isShort ? rest : given;
  let bytes = 0;
  for (const [name, header] of Object.entries(headers)) {
    const nameBytes = Buffer.byteLength(name);
    if (nameBytes > SHORT_BYTES_MAX) return 'the name of a header has more than 255 bytes';
    bytes += nameBytes;
    for (const text of Array.isArray(header) ? header : [header]) bytes += Buffer.byteLength(text);
  }
  if (bytes > HEADERS_BYTES_MAX) return 'the headers have more than 65,536 bytes';
  const id = given['mqtt-msg-id'];
  return {
    route,
    options: {
      persistent: true,
      mandatory: true,
      messageId: typeof id === 'string' ? id : String(place),
      timestamp: Math.floor(timestampMs / 1_000),
      ...(isShort ? { contentType: type } : {}),
      headers,
    },
  };
}
