import {
  TRACEPARENT,
  type BridgeRule,
  type InjectedMessage,
  type Message,
} from '#libs/broker-ports';
import { userPropertyNamed } from '#libs/mqtt-codec';
import type { WireMessage, WireProperties, WireRetained, WireRule } from '#libs/api-contracts';

/** A message of the API as the publish pipeline takes it. */
export function injectedOf({ payload, properties, ...message }: WireMessage): InjectedMessage {
  return {
    ...message,
    payload: Buffer.from(payload, 'base64'),
    ...(properties === undefined ? {} : { properties: propertiesOf(properties) }),
  };
}

/** A message that goes on with the trace of the request that publishes it, unless it has one of its own. */
export function withTraceparent(
  message: InjectedMessage,
  traceparent: string | undefined,
): InjectedMessage {
  const { userProperties = [] } = message.properties ?? {};
  const isPlaced = userPropertyNamed(userProperties, TRACEPARENT) !== undefined;
  if (traceparent === undefined || isPlaced) return message;
  const added = [...userProperties, [TRACEPARENT, traceparent] as const];
  return { ...message, properties: { ...message.properties, userProperties: added } };
}

/** A retained message for the API, with its payload when asked for. */
export function wireRetainedOf(message: Message, withPayload: boolean): WireRetained {
  const { payload } = message;
  return {
    topic: message.topic,
    qos: message.qos,
    payloadBytes: payload.byteLength,
    ...(withPayload ? { payload: base64(payload) } : {}),
    publisher: message.publisher,
    receivedAtMs: message.receivedAtMs,
    expiresAtMs: message.expiresAtMs,
    properties: wirePropertiesOf(message.properties ?? {}),
  };
}

/** The rules of both sides have the same shape; this fails to compile when they part. */
export function bridgeRuleOf(rule: WireRule): BridgeRule {
  return rule;
}

function propertiesOf(wire: WireProperties): NonNullable<Message['properties']> {
  const { correlationData, ...rest } = present(wire);
  if (correlationData === undefined) return rest;
  return { ...rest, correlationData: Buffer.from(correlationData, 'base64') };
}

/** Properties of a message for the API. */
export function wirePropertiesOf(properties: NonNullable<Message['properties']>): WireProperties {
  const { contentType, responseTopic, correlationData } = properties;
  const { payloadFormatIndicator, messageExpiryInterval, userProperties } = properties;
  return {
    contentType,
    responseTopic,
    correlationData: correlationData && base64(correlationData),
    payloadFormatIndicator,
    messageExpiryInterval,
    userProperties: userProperties && [...userProperties],
  };
}

/** JSON has no undefined; a property that is absent must be absent for the codec too. */
function present<T extends object>(
  value: T,
): { readonly [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as { readonly [K in keyof T]: Exclude<T[K], undefined> };
}

/** Bytes as JSON carries them. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** A node bounds its own work, whatever it is asked. */
const PAGE_LIMIT_MAX = 1_000;

/** A query with a limit that a node can serve. */
export function bounded<Query extends { readonly limit: number }>(query: Query): Query {
  return { ...query, limit: Math.min(Math.max(query.limit, 1), PAGE_LIMIT_MAX) };
}
