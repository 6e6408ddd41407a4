import type { BackupAnswers, BackupCommand } from '#libs/api-contracts';
import { LocalDelayedStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, fakeClock } from '#libs/testkit';
import { BackupCommands } from '../../apps/broker/src/commands/backup-commands.ts';

const clock = { clock: Date.now };

/** What a node keeps for its clients: a real one, in memory, that is made when it is first asked for. */
export class FakeBackups {
  sessions = new LocalSessionStore(clock);
  retained = new LocalRetainedStore(clock);
  delayed = new LocalDelayedStore(clock);
  #node: MemoryNode | undefined;
  #commands: BackupCommands | undefined;

  get node(): MemoryNode {
    this.#node ??= new MemoryNode({
      ...{ sessions: this.sessions, retained: this.retained },
      clock: fakeClock(Date.now()),
    });
    return this.#node;
  }

  /** Begins anew with nothing. */
  empty(): void {
    this.sessions = new LocalSessionStore(clock);
    this.retained = new LocalRetainedStore(clock);
    this.delayed = new LocalDelayedStore(clock);
    this.#node = undefined;
    this.#commands = undefined;
  }

  answer(command: BackupCommand): Promise<BackupAnswers[BackupCommand['kind']]> {
    const { sessions, retained, delayed } = this;
    this.#commands ??= new BackupCommands({
      ...{ admin: this.node.node.admin, sessions, retained, delayed, nowMs: Date.now },
      delays: { messagesMax: 1_000, bytesMax: 1_000_000 },
    });
    return this.#commands.answer(command);
  }
}
