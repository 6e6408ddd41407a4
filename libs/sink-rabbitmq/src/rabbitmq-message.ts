import type { Options } from 'amqplib';
import type { SinkRecord } from '#libs/bridge';

/** A record as it is published. */
export interface RabbitmqMessage {
  readonly route: string;
  readonly options: Options.Publish & { readonly messageId: string };
}

/** Of a short text of AMQP. */
const SHORT_BYTES_MAX = 255;
/** What the client has room for, and half of the frame that a server takes by default: larger headers would never go out. */
const HEADERS_BYTES_MAX = 65_536;
/** Of the length of all headers, and of that of a name. */
const TABLE_BYTES = 4;
const NAME_BYTES = 1;
/** Of what a value is, and of its length. */
const VALUE_BYTES = 5;

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
  let bytes = TABLE_BYTES;
  for (const [name, header] of Object.entries(headers)) {
    const nameBytes = Buffer.byteLength(name);
    if (nameBytes > SHORT_BYTES_MAX) return 'the name of a header has more than 255 bytes';
    bytes += NAME_BYTES + nameBytes + valueBytes(header);
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

function valueBytes(header: SinkRecord['headers'][string]): number {
  if (!Array.isArray(header)) return VALUE_BYTES + Buffer.byteLength(header);
  return header.reduce((sum, text) => sum + valueBytes(text), VALUE_BYTES);
}
