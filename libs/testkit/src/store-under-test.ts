import { afterEach, beforeEach } from '@jest/globals';

/** A store made for one test, over data that no other test sees. */
export interface StoreUnderTest<Store> {
  readonly store: Store;
  /** Ends the use of the instance at hand and opens another one over the same data; absent when the data ends with the instance. */
  readonly reopen?: () => Promise<Store>;
  /** Opens a second instance beside the first, as another node would; absent when one process owns the data. */
  readonly peer?: () => Promise<Store>;
  /** Makes the store unable to serve one client's session; absent when it can only fail as a whole. */
  readonly spoil?: (clientId: string) => Promise<void>;
  /** Closes every instance and removes the data. */
  close(): Promise<void>;
}

/** Makes the store of one test. */
export type StoreFactory<Store> = () => Promise<StoreUnderTest<Store>>;

/**
 * Opens a store before each test of the describe block at hand and closes it after.
 *
 * @returns the store of the running test.
 *
 * @internal
 */
export function useStore<Store>(factory: StoreFactory<Store>): () => StoreUnderTest<Store> {
  let current: StoreUnderTest<Store> | undefined;
  beforeEach(async () => {
    current = await factory();
  });
  afterEach(async () => {
    await current?.close();
    current = undefined;
  });
  return () => {
    if (current === undefined) throw new Error('no test is running');
    return current;
  };
}
