import type { MessageContent, ProblemCode, WireMessage, WireRefusal } from '#libs/api-contracts';
import { ProblemError } from './http/problem-error.ts';
import { wireMessageOf } from './presenters.ts';

/** Why a node refused a message, with the reason code that an MQTT 5 publisher would get. */
const REFUSALS: Readonly<Record<WireRefusal, readonly [ProblemCode, string, number?]>> = {
  NOT_AUTHORIZED: ['topic-not-allowed', 'The broker does not permit this topic', 0x87],
  QUOTA_EXCEEDED: ['rate-limited', 'A quota of the broker is used up', 0x97],
  STORE_UNAVAILABLE: ['storage-unavailable', 'The message could not be stored', 0x83],
  BRIDGE_UNAVAILABLE: ['bridge-unavailable', 'Kafka did not accept the record', 0x83],
  NOT_CONNECTED: ['unprocessable', 'as_client_id: no client with this id is connected'],
};

/** Reason code of MQTT 5: packet too large. */
const PACKET_TOO_LARGE = 0x95;

/** The problem of a message that a node has refused. */
export function refused(code: WireRefusal): ProblemError {
  const [problem, detail, mqttReasonCode] = REFUSALS[code];
  return new ProblemError(problem, detail, {
    ...(mqttReasonCode === undefined ? {} : { mqttReasonCode }),
  });
}

/**
 * A message as nodes take it.
 *
 * @throws ProblemError when its payload is larger than clients may publish.
 */
export function checkedWireMessage(message: MessageContent, bytesMax: number): WireMessage {
  const wire = wireMessageOf(message);
  if (Buffer.byteLength(wire.payload, 'base64') <= bytesMax) return wire;
  throw new ProblemError('payload-too-large', `The payload exceeds ${bytesMax} bytes`, {
    mqttReasonCode: PACKET_TOO_LARGE,
  });
}
