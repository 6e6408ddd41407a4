import type { Meta, RuleCounts, WireRuleMetrics } from '#libs/api-contracts';

/** Which nodes an answer lacks, as the API shows it. */
export function metaOf(unavailable: readonly string[]): Meta {
  return { partial: unavailable.length > 0, unavailable_nodes: [...unavailable] };
}

/** What a rule has counted on a node, as the API shows it. */
export function presentCounts(metrics: WireRuleMetrics): RuleCounts {
  const { matched, delivered, filtered, failed, dropped, retries, reasons } = metrics;
  return {
    ...{ matched, delivered, filtered, failed, dropped, retries },
    dead_letters: metrics.deadLetters,
    reasons: { ...reasons },
    lag_records: metrics.lagRecords,
    held_records: metrics.heldRecords,
    spool_records: metrics.spool?.records ?? 0,
    spool_bytes: metrics.spool?.bytes ?? 0,
  };
}

/** The same, with the time from which it counts. */
export function presentRuleMetrics(metrics: WireRuleMetrics): RuleCounts & { since: string } {
  return { ...presentCounts(metrics), since: new Date(metrics.sinceMs).toISOString() };
}

const NOTHING: RuleCounts = {
  ...{ matched: 0, delivered: 0, filtered: 0, failed: 0, dropped: 0, dead_letters: 0 },
  ...{ retries: 0, reasons: {}, lag_records: 0, held_records: 0, spool_records: 0, spool_bytes: 0 },
};

/** Adds up what rules have counted; of lags, the worst counts. */
export function sumCounts(all: readonly RuleCounts[]): RuleCounts {
  return all.reduce<RuleCounts>(
    (sum, each) => ({
      matched: sum.matched + each.matched,
      delivered: sum.delivered + each.delivered,
      filtered: sum.filtered + each.filtered,
      failed: sum.failed + each.failed,
      dropped: sum.dropped + each.dropped,
      dead_letters: sum.dead_letters + each.dead_letters,
      retries: sum.retries + each.retries,
      reasons: sumReasons(sum.reasons, each.reasons),
      lag_records: Math.max(sum.lag_records, each.lag_records),
      held_records: sum.held_records + each.held_records,
      spool_records: sum.spool_records + each.spool_records,
      spool_bytes: sum.spool_bytes + each.spool_bytes,
    }),
    NOTHING,
  );
}

function sumReasons(
  left: RuleCounts['reasons'],
  right: RuleCounts['reasons'],
): RuleCounts['reasons'] {
  const sum = { ...left };
  for (const [reason, count] of Object.entries(right)) sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
}
