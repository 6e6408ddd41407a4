import type { Message } from '#libs/broker-ports';
import type { AckGate } from './ack-gate.ts';
import type { SinkRecord } from './sink.ts';
import type { Template } from './template.ts';

/** A record with what the bridge must remember until the other side has it. */
export interface OutboundRecord extends SinkRecord {
  /** What it takes of the buffer. */
  readonly bytes: number;
  /** The acknowledgement that waits for it. */
  readonly gate: AckGate | undefined;
}

/** The templates of a rule that make a record's key and extra headers. */
export interface RecordTemplates {
  readonly key: Template<Message>;
  readonly headers: readonly (readonly [name: string, template: Template<Message>])[];
}

// Objects and header names of a record, measured roughly; what varies is counted.
const RECORD_OVERHEAD_BYTES = 512;

/** Builds the record of a message; the payload is copied, since the message's bytes live only as long as the turn. */
export function outboundRecord(
  message: Message,
  templates: RecordTemplates,
  way: Pick<OutboundRecord, 'target' | 'gate'>,
): OutboundRecord {
  const key = Buffer.from(templates.key.bytes(message));
  const value = Buffer.from(message.payload);
  const headers = headersOf(message, templates);
  let bytes = RECORD_OVERHEAD_BYTES + key.length + value.length;
  for (const header of Object.values(headers)) {
    if (Array.isArray(header)) for (const text of header) bytes += text.length;
    else bytes += header.length;
  }
  return { ...way, key, value, headers, timestampMs: message.receivedAtMs, bytes };
}

function headersOf(message: Message, templates: RecordTemplates): SinkRecord['headers'] {
  const { source, properties } = message;
  const headers: Record<string, string | Buffer | string[]> = {
    'mqtt-topic': message.topic,
    'mqtt-client-id': message.publisher,
    'mqtt-qos': String(message.qos),
    'mqtt-retain': String(message.retain),
    'mqtt-msg-id': `${source.nodeId}-${source.incarnation}-${message.sequence}`,
    'mqtt-node': source.nodeId,
  };
  if (properties !== undefined) {
    const { contentType, responseTopic, correlationData, userProperties } = properties;
    if (contentType !== undefined) headers['content-type'] = contentType;
    if (responseTopic !== undefined) headers['response-topic'] = responseTopic;
    if (correlationData !== undefined) headers['correlation-data'] = Buffer.from(correlationData);
    for (const [name, value] of userProperties ?? []) {
      const earlier = headers[`up.${name}`];
      if (Array.isArray(earlier)) earlier.push(value);
      else headers[`up.${name}`] = [value];
    }
  }
  for (const [name, template] of templates.headers) headers[name] = template.render(message);
  return headers;
}
