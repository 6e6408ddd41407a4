import { describe, expect, it } from '@jest/globals';
import { until } from './until.ts';

describe('until', () => {
  it('looks again until the condition holds', async () => {
    let looked = 0;
    await until(() => (looked += 1) === 3, 1000);
    expect(looked).toBe(3);
  });

  it('takes an assertion, synchronous or not, as a condition', async () => {
    let value = 0;
    setImmediate(() => (value = 1));
    await until(() => expect(value).toBe(1), 1000);
    await until(async () => expect(await Promise.resolve(value)).toBe(1), 1000);
    expect(value).toBe(1);
  });

  it('gives up at the deadline and says what the matter was', async () => {
    await expect(until(() => false, 20)).rejects.toThrow(/not so within 20 ms: .*false/u);
    const cause = new Error('the matter');
    const failing = () => {
      throw cause;
    };
    await expect(until(failing, 20)).rejects.toMatchObject({ cause });
  });
});
