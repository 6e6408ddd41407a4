import type { Message } from '#libs/broker-ports';
import type { ConsumedRecord } from './source.ts';
import type { PlaceholderReader } from './template.ts';

/** A consumed record with where it came from. */
export interface RecordSource {
  readonly topic: string;
  readonly partition: number;
  readonly record: ConsumedRecord;
}

const MESSAGE_PLACEHOLDERS: Readonly<Record<string, PlaceholderReader<Message>>> = {
  clientId: (message) => message.publisher,
  topic: (message) => message.topic,
  qos: (message) => String(message.qos),
  payload: (message) => message.payload,
  node: (message) => message.source.nodeId,
};

/** The placeholders of a message: `clientId`, `topic`, `topic[n]` (a level, from 0; empty when missing), `qos`, `payload`, `node`. */
export function messagePlaceholder(name: string): PlaceholderReader<Message> | undefined {
  const level = /^topic\[(\d{1,3})\]$/.exec(name)?.[1];
  if (level !== undefined) {
    const index = Number(level);
    return (message) => message.topic.split('/', index + 1)[index] ?? '';
  }
  return Object.hasOwn(MESSAGE_PLACEHOLDERS, name) ? MESSAGE_PLACEHOLDERS[name] : undefined;
}

const RECORD_PLACEHOLDERS: Readonly<Record<string, PlaceholderReader<RecordSource>>> = {
  key: (source) => source.record.key ?? '',
  topic: (source) => source.topic,
  partition: (source) => String(source.partition),
  offset: (source) => source.record.offset,
};

/** The placeholders of a consumed record: `key` (empty when null), `topic`, `partition`, `offset`, `headers.name` (the first of that name; empty when missing). */
export function recordPlaceholder(name: string): PlaceholderReader<RecordSource> | undefined {
  if (name.startsWith('headers.') && name.length > 'headers.'.length) {
    const header = name.slice('headers.'.length);
    return ({ record }) => {
      const headers = record.headers ?? {};
      const value = Object.hasOwn(headers, header) ? headers[header] : undefined;
      return (Array.isArray(value) ? value[0] : value) ?? '';
    };
  }
  return Object.hasOwn(RECORD_PLACEHOLDERS, name) ? RECORD_PLACEHOLDERS[name] : undefined;
}
