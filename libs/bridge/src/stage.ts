import type { BridgeRecordCount, BridgeStage } from '#libs/broker-ports';

const STAGES: ReadonlyMap<BridgeRecordCount['reason'], BridgeStage> = new Map([
  ['where_error', 'where'],
  ['value_error', 'value'],
  ['template_error', 'template'],
  ['schema_error', 'schema'],
  ['invalid_topic', 'topic'],
  ['unknown_topic', 'topic'],
  ['spool_damaged', 'spool'],
]);

/**
 * Where a rule failed with a message or record.
 *
 * @param side - what the rule does at the side that it carries to or from: the stage of what that refuses.
 */
export function stageOf(
  reason: BridgeRecordCount['reason'],
  side: 'produce' | 'consume',
): BridgeStage {
  return STAGES.get(reason) ?? side;
}
