import { z } from 'zod';
import { bridgeRule } from './bridge-rule.ts';
import { connector } from './connector.ts';
import { milliseconds, section, whole } from './kinds.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What the bridges lead to. */
export const bridges = z.array(connector).max(200).default([]).meta({
  description: 'What messages are bridged with. Rules name one of these.',
  expects: 'a list of at most 200 bridges',
});

/** Which messages the bridges carry. */
export const bridgeRules = z.array(bridgeRule).max(200).default([]).meta({
  description: 'Bridge rules. Those named here are read-only over the admin API.',
  expects: 'a list of at most 200 bridge rules',
});

/** Limits of each bridge. */
export const bridge = section({
  ackTimeoutMs: milliseconds(
    'How long a PUBACK may wait for the other side under a rule whose `ack` names it. Below `limits.publishDeadlineMs`, so that the cause is told.',
    { default: 10_000, min: 100, max: 300_000 },
  ),
  lingerMs: milliseconds('How long a batch waits for more records.', {
    default: 10,
    min: 0,
    max: 1_000,
  }),
  batchRecordsMax: whole('Most records of a batch.', {
    default: 500,
    min: 1,
    max: 500,
    unit: 'records',
  }),
  batchBytesMax: whole('Most bytes of a batch.', {
    default: 256 * KIB,
    min: KIB,
    max: 64 * MIB,
    unit: 'bytes',
  }),
  bufferBytesMax: whole(
    'Most bytes that a node holds for one bridge, all its rules together; beyond it a publish is refused, or the record dropped and counted (`ack: none`).',
    { default: 64 * MIB, min: MIB, max: 4096 * MIB, unit: 'bytes' },
  ),
});
