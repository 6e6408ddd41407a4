import type { InjectedMessage, Message } from '#libs/broker-ports';

/** What a node adds to a message when it comes. */
type Identity = Pick<Message, 'publisher' | 'source' | 'sequence' | 'receivedAtMs' | 'origin'>;

/** A message under its identity. No spread: it would cost more than all the rest. */
export function identified(
  { topic, payload, qos, retain, properties }: InjectedMessage,
  { publisher, source, sequence, receivedAtMs, origin }: Identity,
): Message {
  if (properties === undefined) {
    return {
      topic,
      payload,
      qos,
      retain,
      publisher,
      source,
      sequence,
      receivedAtMs,
      expiresAtMs: 0,
      origin,
    };
  }
  const expiry = properties.messageExpiryInterval;
  const expiresAtMs = expiry === undefined ? 0 : receivedAtMs + expiry * 1000;
  return {
    topic,
    payload,
    qos,
    retain,
    properties,
    publisher,
    source,
    sequence,
    receivedAtMs,
    expiresAtMs,
    origin,
  };
}
