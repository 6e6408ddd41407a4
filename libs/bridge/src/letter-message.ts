import type { DeadLetter, DeadLetterHeader, Message } from '#libs/broker-ports';

/** The message that a dead letter came of, with the value of the letter as its payload; undefined when the letter does not tell. */
export function messageOfLetter({ headers, value, recordAtMs }: DeadLetter): Message | undefined {
  const topic = textOf(headers['mqtt-topic']);
  const identity = /^(.*)-(\d+)-(\d+)$/s.exec(textOf(headers['mqtt-msg-id']) ?? '');
  const [, nodeId, incarnation, sequence] = identity ?? [];
  const qos = qosOf(textOf(headers['mqtt-qos']));
  if (topic === undefined || nodeId === undefined || qos === undefined) return undefined;
  const properties = propertiesOf(headers);
  return {
    ...{ topic, qos, payload: Buffer.from(value, 'base64') },
    retain: textOf(headers['mqtt-retain']) === 'true',
    publisher: textOf(headers['mqtt-client-id']) ?? '',
    source: { nodeId, incarnation: Number(incarnation) },
    sequence: Number(sequence),
    receivedAtMs: recordAtMs,
    expiresAtMs: 0,
    origin: 'client',
    ...(properties !== undefined && { properties }),
  };
}

function propertiesOf(headers: DeadLetter['headers']): Message['properties'] {
  const contentType = textOf(headers['content-type']);
  const responseTopic = textOf(headers['response-topic']);
  const correlation = headers['correlation-data'];
  const userProperties = Object.entries(headers)
    .filter(([name]) => name.startsWith('up.'))
    .flatMap(([name, header]) =>
      textsOf(header).map((text): readonly [string, string] => [name.slice(3), text]),
    );
  const properties = {
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(isBytes(correlation) && { correlationData: Buffer.from(correlation.base64, 'base64') }),
    ...(userProperties.length > 0 && { userProperties }),
  };
  return Object.keys(properties).length === 0 ? undefined : properties;
}

function qosOf(text: string | undefined): Message['qos'] | undefined {
  return text === '0' ? 0 : text === '1' ? 1 : text === '2' ? 2 : undefined;
}

function textsOf(header: DeadLetterHeader | undefined): readonly string[] {
  if (header === undefined || isBytes(header)) return [];
  return typeof header === 'string' ? [header] : header;
}

function textOf(header: DeadLetterHeader | undefined): string | undefined {
  return textsOf(header)[0];
}

function isBytes(header: DeadLetterHeader | undefined): header is { readonly base64: string } {
  return typeof header === 'object' && 'base64' in header;
}
