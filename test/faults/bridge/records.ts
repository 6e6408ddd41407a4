import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { decodeNumbers } from '../payload.ts';

/** A record that Kafka has, in the order of its partition. */
export interface StoredRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Names one taking of a message by a node; for a message of QoS 2 it is the same when the client sends it again. */
  readonly messageId: string;
  readonly publisher: number;
  readonly number: number;
}

const OUTPUT_BYTES_MAX = 1_073_741_824;
const DEADLINE_MS = 120_000;
/** Partition, offset, key, headers, bytes of the payload, and the payload, which holds any byte. */
const FORMAT = '%p|%o|%k|%h|%S|%s';
const FIELDS = 5;
const BAR = 0x7c;

/** Reads a topic from its beginning to its end with kcat, partition by partition. @throws Error when kcat fails. */
export async function readRecords(brokers: string, topic: string): Promise<StoredRecord[]> {
  const args = ['-b', brokers, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', FORMAT];
  const { stdout } = await promisify(execFile)('kcat', args, {
    encoding: 'buffer',
    maxBuffer: OUTPUT_BYTES_MAX,
    timeout: DEADLINE_MS,
  });
  return parseRecords(stdout).toSorted(
    (left, right) => left.partition - right.partition || left.offset - right.offset,
  );
}

/** Reads what kcat has written. */
export function parseRecords(bytes: Buffer): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    const fields: string[] = [];
    while (fields.length < FIELDS) {
      const end = bytes.indexOf(BAR, at);
      if (end < 0) throw new Error(`kcat wrote half a record: ${String(fields)}`);
      fields.push(bytes.toString('utf8', at, end));
      at = end + 1;
    }
    const [partition, offset, key = '', headers = '', size] = fields;
    const payload = bytes.subarray(at, at + Number(size));
    at += payload.length;
    records.push({
      partition: Number(partition),
      offset: Number(offset),
      key,
      messageId: /(?:^|,)mqtt-msg-id=([^,]*)/.exec(headers)?.[1] ?? '',
      ...decodeNumbers(payload),
    });
  }
  return records;
}
