import { createRequire } from 'node:module';
import kafkajs, { type Message } from 'kafkajs';
import type { Codec } from './compression.ts';
import { RecordWriter } from './record-writer.ts';

const require = createRequire(import.meta.url);
const crc32c = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;

/** What the client asks to be stored, as it hands it to its encoder. */
export interface ProduceRequest {
  readonly transactionalId?: string | undefined;
  /** A whole number of 64 bits. */
  readonly producerId: { toString(): string };
  readonly producerEpoch: number;
  readonly acks: number;
  readonly timeout: number;
  readonly compression: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly PartitionRecords[];
  }[];
}

/** Records on their way to a partition. */
interface PartitionRecords {
  readonly partition: number;
  readonly firstSequence: number;
  readonly messages: readonly Message[];
}

/** What the client takes for bytes: it is made to be copied into a request. */
export interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

/** Of a record, all but its own bytes. */
const RECORD_OVERHEAD_BYTES = 256;
const MAGIC = 2;
const BATCH_HEADER_BYTES = 61;
/** What the length of a batch does not count: its first offset and the length. */
const UNCOUNTED_BYTES = 12;
const CRC_AT = 17;
const CRC_FROM = 21;
const REQUEST_HEADER_BYTES = 2 + 2 + 4 + 4;

/**
 * Encodes the body of a produce request of version 3 to 7 that is not part of a transaction.
 *
 * @see https://kafka.apache.org/protocol#The_Messages_Produce
 */
export async function encodeProduceRequest(request: ProduceRequest): Promise<Encoded> {
  const { acks, timeout, topicData } = request;
  const head = Buffer.alloc(REQUEST_HEADER_BYTES);
  head.writeInt16BE(-1, 0);
  head.writeInt16BE(acks, 2);
  head.writeInt32BE(timeout, 4);
  head.writeInt32BE(topicData.length, 8);
  const parts: Buffer[] = [head];
  for (const { topic, partitions } of topicData) {
    parts.push(topicHead(topic, partitions.length));
    for (const records of partitions) parts.push(await encodePartition(records, request));
  }
  const buf = Buffer.concat(parts);
  return { buf, buffer: buf };
}

function topicHead(topic: string, partitions: number): Buffer {
  const length = Buffer.byteLength(topic);
  const head = Buffer.allocUnsafe(2 + length + 4);
  head.writeInt16BE(length, 0);
  head.write(topic, 2);
  head.writeInt32BE(partitions, 2 + length);
  return head;
}

/** The number of a partition, the size of its batch, and the batch. */
async function encodePartition(
  records: PartitionRecords,
  request: ProduceRequest,
): Promise<Buffer> {
  const { partition, messages } = records;
  const now = Date.now();
  const times = messages.map(({ timestamp }) => Number(timestamp ?? now));
  const firstMs = times.reduce((least, time) => Math.min(least, time), times[0] ?? now);
  const lastMs = times.reduce((most, time) => Math.max(most, time), firstMs);
  const body = await compressed(encodeRecords(messages, times, firstMs), request.compression);
  const bytes = Buffer.allocUnsafe(8 + BATCH_HEADER_BYTES + body.length);
  bytes.writeInt32BE(partition, 0);
  bytes.writeInt32BE(BATCH_HEADER_BYTES + body.length, 4);
  body.copy(bytes, 8 + BATCH_HEADER_BYTES);
  writeBatchHead(bytes.subarray(8), { ...records, firstMs, lastMs, request });
  return bytes;
}

function encodeRecords(
  messages: readonly Message[],
  times: readonly number[],
  firstMs: number,
): Buffer {
  let likely = 0;
  for (const { value } of messages) likely += RECORD_OVERHEAD_BYTES + (value?.length ?? 0);
  const writer = new RecordWriter(likely);
  messages.forEach((message, index) => writer.add(message, (times[index] ?? firstMs) - firstMs));
  return writer.buffer;
}

async function compressed(records: Buffer, compression: number): Promise<Buffer> {
  if (compression === kafkajs.CompressionTypes.None) return records;
  const codecs = kafkajs.CompressionCodecs as Readonly<Record<number, () => Codec>>;
  const codec = codecs[compression]?.();
  if (codec === undefined) throw new Error(`no compression ${compression}`);
  return codec.compress({ buffer: records });
}

/** Writes the head of a batch whose records stand behind it already: its checksum covers them. */
function writeBatchHead(
  bytes: Buffer,
  batch: PartitionRecords & {
    readonly firstMs: number;
    readonly lastMs: number;
    readonly request: ProduceRequest;
  },
): void {
  const { messages, firstMs, lastMs, firstSequence, request } = batch;
  bytes.fill(0, 0, 8);
  bytes.writeInt32BE(bytes.length - UNCOUNTED_BYTES, 8);
  bytes.writeInt32BE(0, 12);
  bytes.writeInt8(MAGIC, 16);
  bytes.writeInt16BE(request.compression, 21);
  bytes.writeInt32BE(messages.length - 1, 23);
  bytes.writeBigInt64BE(BigInt(firstMs), 27);
  bytes.writeBigInt64BE(BigInt(lastMs), 35);
  bytes.writeBigInt64BE(BigInt(request.producerId.toString()), 43);
  bytes.writeInt16BE(request.producerEpoch, 51);
  bytes.writeInt32BE(firstSequence, 53);
  bytes.writeInt32BE(messages.length, 57);
  bytes.writeUInt32BE(crc32c(bytes.subarray(CRC_FROM)), CRC_AT);
}
