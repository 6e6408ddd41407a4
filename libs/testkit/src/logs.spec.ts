import { describe, expect, it } from '@jest/globals';
import { fakeClock } from './fake-clock.ts';
import { RecordingLog } from './logs.ts';

describe('RecordingLog', () => {
  it('keeps its lines in order and finds those of an event', () => {
    const log = new RecordingLog();
    log.debug('one');
    log.warn('two', { count: 1 });
    log.info('one', { count: 2 });
    log.error('three');
    expect(log.lines.map(({ level }) => level)).toEqual(['debug', 'warn', 'info', 'error']);
    expect(log.of('one')).toEqual([
      { level: 'debug', event: 'one', fields: {} },
      { level: 'info', event: 'one', fields: { count: 2 } },
    ]);
  });
});

describe('FakeClock', () => {
  it('stands still until it is moved', () => {
    const clock = fakeClock(1000);
    const { now } = clock;
    expect(now()).toBe(1000);
    clock.advance(500);
    expect(now()).toBe(1500);
  });
});
