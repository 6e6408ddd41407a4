import type { NodeTotals } from '#libs/broker-ports';
import type { brokerSeries } from './broker-series.ts';
import type { ByLabel } from './by-label.ts';
import type { Cell } from './family.ts';

/** Adds the series of a node up, over their labels. */
export function totalsOf(series: ReturnType<typeof brokerSeries>): NodeTotals {
  return {
    connects: sum(series.connects, (versions) => sum(versions, sumOfCells)),
    packetsReceived: sumOfCells(series.packetsReceived),
    packetsSent: sumOfCells(series.packetsSent),
    bytesReceived: sumOfCells(series.receivedBytes),
    bytesSent: sumOfCells(series.sentBytes),
    publishReceived: sumOfCells(series.publishReceived),
    publishSent: sumOfCells(series.publishSent),
    publishBytesReceived: series.messageSize.get('in').sum,
    publishBytesSent: series.messageSize.get('out').sum,
    deliveriesDropped: sumOfCells(series.deliveriesDropped),
    queueFullDropped: series.deliveriesDropped.get('queue_full').value,
    sessionsExpired: series.sessionEvents.get('expired').value,
  };
}

function sum<Value extends string | number, Series>(
  byLabel: ByLabel<Value, Series>,
  valueOf: (series: Series) => number,
): number {
  let total = 0;
  for (const series of byLabel.all()) total += valueOf(series);
  return total;
}

function sumOfCells<Value extends string | number>(cells: ByLabel<Value, Cell>): number {
  return sum(cells, ({ value }) => value);
}
