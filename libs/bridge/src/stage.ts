import type { BridgeRecordCount, BridgeStage } from '#libs/broker-ports';

const STAGES: ReadonlyMap<BridgeRecordCount['reason'], BridgeStage> = new Map([
  ['where_error', 'where'],
  ['value_error', 'value'],
  ['template_error', 'template'],
  ['invalid_topic', 'topic'],
  ['unknown_topic', 'topic'],
  ['shutdown', 'topic'],
]);

/** Where a rule failed that made nothing of a message or record. */
export function stageOf(reason: BridgeRecordCount['reason']): BridgeStage {
  return STAGES.get(reason) ?? 'consume';
}
