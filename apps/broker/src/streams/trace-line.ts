import type { AclRule } from '#libs/access';
import type { TraceRecord, TracedDecision } from '#libs/broker-core';
import { REASON, type UserProperties, type Packet, type ReasonCode } from '#libs/mqtt-codec';

/** What is kept of a payload at most. */
const PAYLOAD_BYTES_MAX = 8 * 1024;
/** A longer line is kept without its properties, filters and payload. */
const LINE_CHARACTERS_MAX = 48 * 1024;

const VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5' } as const;

const REASONS: ReadonlyMap<ReasonCode, string> = new Map(
  Object.entries(REASON).map(([name, code]) => [code, snakeOf(name)]),
);

/** How a line is made. */
export interface LineForm {
  readonly nodeId: string;
  readonly atMs: number;
  readonly payload: 'none' | 'text' | 'base64';
}

/** A record of a trace as a line of JSON. Passwords and the data of authentications never are in one. */
export function traceLineOf(record: TraceRecord, { nodeId, atMs, payload }: LineForm): string {
  const { clientId, username, listener, address, version } = record.client;
  const head = {
    ...{ kind: record.kind, time: new Date(atMs).toISOString(), node: nodeId },
    client_id: clientId ?? null,
    ...(username !== undefined && { username }),
    ...(listener !== undefined && { listener }),
    ...(address !== undefined && { remote_address: address }),
    ...(version !== undefined && { mqtt_version: VERSIONS[version] }),
  };
  if (record.kind === 'decision') {
    return JSON.stringify({ ...head, decision: decisionOf(record.decision) });
  }
  const { direction, packet } = record;
  const whole = { ...head, direction, packet: packetOf(packet, payload) };
  const line = JSON.stringify(whole);
  if (line.length <= LINE_CHARACTERS_MAX) return line;
  const { type, client_id, topic, packet_id, qos, payload_bytes } = whole.packet;
  const brief = { type, client_id, topic, packet_id, qos, payload_bytes };
  return JSON.stringify({ ...head, direction, packet: brief, truncated: true });
}

function packetOf(packet: Packet, form: LineForm['payload']): Record<string, unknown> {
  switch (packet.kind) {
    case 'connect': {
      const { clientId, cleanStart, keepAlive, username, password, will, properties } = packet;
      return {
        ...{ type: 'connect', client_id: clientId, clean_start: cleanStart },
        ...{ keep_alive_seconds: keepAlive, has_password: password !== undefined },
        ...(username !== undefined && { username }),
        ...(will && {
          will: {
            ...{ topic: will.topic, qos: will.qos, retain: will.retain },
            ...payloadOf(will.payload, form),
            ...propertiesOf(will.properties),
          },
        }),
        ...propertiesOf(properties),
      };
    }
    case 'publish': {
      const { dup, qos, retain, topic, packetId, payload, properties } = packet;
      return {
        ...{ type: 'publish', dup, qos, retain, topic },
        ...(qos > 0 && { packet_id: packetId }),
        ...payloadOf(payload, form),
        ...propertiesOf(properties),
      };
    }
    case 'subscribe':
      return {
        ...{ type: 'subscribe', packet_id: packet.packetId },
        subscriptions: packet.subscriptions.map(
          ({ filter, qos, noLocal, retainAsPublished, retainHandling }) => ({
            ...{ filter, qos, no_local: noLocal, retain_as_published: retainAsPublished },
            retain_handling: retainHandling,
          }),
        ),
        ...propertiesOf(packet.properties),
      };
    case 'unsubscribe':
      return {
        ...{ type: 'unsubscribe', packet_id: packet.packetId, filters: packet.filters },
        ...propertiesOf(packet.properties),
      };
    case 'suback':
    case 'unsuback':
      return {
        ...{ type: packet.kind, packet_id: packet.packetId, reason_codes: packet.reasonCodes },
        reasons: packet.reasonCodes.map((code) => REASONS.get(code)),
        ...propertiesOf(packet.properties),
      };
    case 'pingreq':
    case 'pingresp':
      return { type: packet.kind };
    case 'connack':
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
    case 'disconnect':
    case 'auth':
      return {
        type: packet.kind,
        ...('packetId' in packet && { packet_id: packet.packetId }),
        ...('sessionPresent' in packet && { session_present: packet.sessionPresent }),
        ...{ reason_code: packet.reasonCode, reason: REASONS.get(packet.reasonCode) },
        ...propertiesOf(packet.properties),
      };
  }
}

function payloadOf(payload: Uint8Array, form: LineForm['payload']): Record<string, unknown> {
  const size = { payload_bytes: payload.length };
  if (form === 'none') return size;
  const isCut = payload.length > PAYLOAD_BYTES_MAX;
  const kept = isCut ? payload.subarray(0, PAYLOAD_BYTES_MAX) : payload;
  return { ...size, ...contentOf(kept, form), ...(isCut && { payload_truncated: true }) };
}

function contentOf(bytes: Uint8Array, form: 'text' | 'base64') {
  if (form === 'text') {
    try {
      const payload = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      return { payload, payload_encoding: 'plain' };
    } catch {
      // Not UTF-8: base64 is the only faithful form.
    }
  }
  return { payload: Buffer.from(bytes).toString('base64'), payload_encoding: 'base64' };
}

/** Of authentication data only its length. */
function propertiesOf(properties: object | undefined): Record<string, unknown> {
  if (properties === undefined) return {};
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(properties) as [string, unknown][]) {
    if (value === undefined) continue;
    if (name === 'authenticationData') {
      shown['authentication_data_bytes'] = (value as Uint8Array).length;
    } else if (name === 'userProperties') {
      const pairs = value as UserProperties | readonly (readonly [string, string])[];
      shown['user_properties'] = Array.from(pairs, ([key, text]) => ({ name: key, value: text }));
    } else if (value instanceof Uint8Array) {
      shown[snakeOf(name)] = Buffer.from(value).toString('base64');
    } else shown[snakeOf(name)] = value;
  }
  return Object.keys(shown).length === 0 ? {} : { properties: shown };
}

function decisionOf(decision: TracedDecision): Record<string, unknown> {
  switch (decision.type) {
    case 'connect_refused': {
      const { type, reasonCode, detail } = decision;
      return { type, reason_code: reasonCode, reason: REASONS.get(reasonCode), detail };
    }
    case 'denied': {
      const { type, action, topic, rule } = decision;
      return { type, action, topic, rule: rule === undefined ? null : ruleOf(rule) };
    }
    case 'login':
    case 'message_dropped':
    case 'connection_ended':
      return { ...decision };
  }
}

function ruleOf({ who, ...rule }: AclRule): Record<string, unknown> {
  if (who === undefined) return rule;
  const { clientIds, ...others } = who;
  return { ...rule, who: { ...others, ...(clientIds && { client_ids: clientIds }) } };
}

function snakeOf(name: string): string {
  return name.replaceAll(/QoS|[A-Z]/g, (part) => `_${part.toLowerCase()}`);
}
