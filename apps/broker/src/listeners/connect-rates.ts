import { AddressRates, TokenBucket } from '#libs/access';
import type { ListenerSettings } from '#libs/config';

/** Some 10 MiB, however many addresses an attack comes from. */
const ADDRESSES_MAX = 65_536;

type RateSettings = Pick<
  ListenerSettings,
  'connectsPerSecond' | 'connectBurst' | 'connectsPerSecondPerAddress' | 'connectBurstPerAddress'
>;

/** How fast connections of a listener may be opened: from one address, so that one does not take the share of all, and in all. */
export class ConnectRates {
  readonly #addresses: AddressRates | undefined;
  readonly #all: TokenBucket | undefined;

  constructor(settings: RateSettings, nowMs: number) {
    const { connectsPerSecond, connectBurst } = settings;
    const { connectsPerSecondPerAddress, connectBurstPerAddress } = settings;
    if (connectsPerSecond > 0) {
      this.#all = new TokenBucket({ perSecond: connectsPerSecond, burst: connectBurst }, nowMs);
    }
    if (connectsPerSecondPerAddress > 0) {
      const each = { perSecond: connectsPerSecondPerAddress, burst: connectBurstPerAddress };
      this.#addresses = new AddressRates(each, ADDRESSES_MAX);
    }
  }

  /** Counts a connection; returns why it is to be refused. */
  refusalOf(address: string, nowMs: number): 'address_rate' | 'connect_rate' | undefined {
    if (this.#addresses?.take(address, nowMs) === false) return 'address_rate';
    return this.#all?.take(1, nowMs) === false ? 'connect_rate' : undefined;
  }
}
