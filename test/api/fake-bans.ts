import { type Ban, type FlappingDocument } from '#libs/access';
import { LinearClientIdPatterns } from '#libs/access-sources';
import type { BanAnswers, BanCommand } from '#libs/api-contracts';
import { Bans } from '#libs/broker-core';
import { silentLog } from '#libs/testkit';
import { LocalDefinitionStore } from '#libs/store-local';
import { BanCommands } from '../../apps/broker/src/commands/ban-commands.ts';
import { FlappingRules } from '../../apps/broker/src/flapping-rules.ts';

/** Most bans of a fake node. */
export const FAKE_BANS_MAX = 3;

/** The bans of a node, as nodes have them, in memory. */
export class FakeBans {
  #commands = commandsOf();

  /** Begins without any. */
  clear(): void {
    this.#commands = commandsOf();
  }

  answer(command: BanCommand): Promise<BanAnswers[BanCommand['kind']]> {
    return this.#commands.handle(command);
  }
}

function commandsOf(): BanCommands {
  const store = new LocalDefinitionStore<Ban>('bans');
  const parts = { store, bansMax: FAKE_BANS_MAX, patterns: new LinearClientIdPatterns() };
  const bans = new Bans(parts, { log: silentLog, nowMs: Date.now }, () => undefined);
  bans.start();
  const configured = {
    ...{ connectionsMax: 100, connectionsPerAddressMax: 0 },
    ...{ windowSeconds: 60, banSeconds: 300 },
  };
  const settings = new LocalDefinitionStore<FlappingDocument>('settings');
  const flapping = new FlappingRules(configured, settings);
  return new BanCommands({ bans, storedBans: store, flapping });
}
