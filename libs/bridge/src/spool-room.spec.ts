import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Spool, SpoolLog } from '#libs/broker-ports';
import { MemorySpoolStore, openMemorySpool, until } from '#libs/testkit';
import { SpoolRoom } from './spool-room.ts';

const RECORDS = 10;
const DEADLINE_MS = 5_000;

let store: MemorySpoolStore;
let spool: Spool;
let spoolLog: SpoolLog;
let next: number;
let dropped: number[];
let room: SpoolRoom;

beforeEach(async () => {
  store = new MemorySpoolStore();
  spool = await openMemorySpool(Infinity, store);
  spoolLog = spool.open('r1');
  dropped = [];
  room = new SpoolRoom({
    spoolLog,
    bytesMax: Infinity,
    next: () => next,
    dropped: (records) => dropped.push(records),
    failed: (error) => {
      throw error;
    },
  });
  await new Promise<void>((resolve) => {
    for (let count = 1; count <= RECORDS; count += 1) {
      spoolLog.append(Buffer.alloc(100), 0, (sequence) => sequence === RECORDS && resolve());
    }
  });
});

afterEach(() => spool.close());

it('counts what is dropped, but for what was on its way to the sink then', async () => {
  next = 8;
  const release = store.hold();
  expect(room.make(1)).toBe(true);
  await until(() => spoolLog.first > RECORDS, DEADLINE_MS);
  // What carries records to the sink goes on beyond those that are gone.
  next = spoolLog.first;
  release();
  await until(() => !room.isBeingMade, DEADLINE_MS);
  expect(dropped).toEqual([3]);
});
