import { beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingLog } from '#libs/testkit';
import { PERIOD_MS, REFUSALS_TOLD, RefusalLog, type Refusal } from './refusal-log.ts';

const REFUSAL: Refusal = {
  ...{ listener: 'tcp', reasonCode: 0x87, detail: 'not authorized' },
  ...{ clientId: 'device', address: '192.0.2.7' },
};

let log: RecordingLog;
let nowMs: number;
let refusals: RefusalLog;

beforeEach(() => {
  log = new RecordingLog();
  nowMs = 1_000;
  refusals = new RefusalLog(log, () => nowMs);
});

const told = () => log.lines.filter(({ level }) => level === 'info').map(({ fields }) => fields);

describe('RefusalLog', () => {
  it('tells who was refused, where it is, and why', () => {
    refusals.tell(REFUSAL);

    expect(told()).toEqual([{ ...REFUSAL, untold: undefined }]);
  });

  it('tells some of each reason in a minute, and how many there were besides', () => {
    const others = 25;
    for (let at = 0; at < REFUSALS_TOLD + others; at += 1) refusals.tell(REFUSAL);
    refusals.tell({ ...REFUSAL, reasonCode: 0x8a });
    expect(told()).toHaveLength(REFUSALS_TOLD + 1);

    nowMs += PERIOD_MS;
    refusals.tell(REFUSAL);
    nowMs += PERIOD_MS;
    refusals.tell(REFUSAL);

    expect(told().slice(-2)).toMatchObject([{ untold: others }, { untold: undefined }]);
  });

  it('cuts off names that are made to fill the log', () => {
    refusals.tell({ ...REFUSAL, clientId: 'x'.repeat(65_535) });
    refusals.tell({ ...REFUSAL, clientId: undefined });

    expect(told().map(({ clientId }) => clientId)).toEqual(['x'.repeat(64), undefined]);
  });
});
