import type {
  NodeCommand,
  StreamAnswers,
  StreamCommand,
  WireNodeEvent,
  WireWatchedMessage,
} from '#libs/api-contracts';

/** Whether a command is one of those who follow what happens. */
export function isOnStreams(command: NodeCommand): command is StreamCommand {
  return ['events', 'watch-messages', 'end-watch'].includes(command.kind);
}

/** What a node answers where a test says what happens. */
export class FakeStreams {
  readonly events: WireNodeEvent[] = [];
  readonly messages: WireWatchedMessage[] = [];
  readonly ended: string[] = [];
  /** Told once as gone. */
  lost = 0;
  isFull = false;

  async answer(command: StreamCommand): Promise<StreamAnswers[StreamCommand['kind']]> {
    if (command.kind === 'end-watch') {
      this.ended.push(command.watch);
      return {};
    }
    const { waitMs } = command;
    const all = command.kind === 'events' ? this.events : this.messages;
    const from = this.positionOf(command);
    if (all.length <= from && waitMs > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const { lost } = this;
    if (waitMs > 0) this.lost = 0;
    const last = all.length;
    if (command.kind === 'events') {
      return { events: this.events.slice(from), position: { life: 1, number: last }, lost };
    }
    if (this.isFull) return { kind: 'full' };
    return { kind: 'messages', messages: this.messages.slice(from), last, lost };
  }

  emit(type: WireNodeEvent['type'], clientId: string): void {
    const number = this.events.length + 1;
    this.events.push({ type, clientId, atMs: 5, number, detail: { reason: 'normal' } });
  }

  private positionOf(command: Exclude<StreamCommand, { kind: 'end-watch' }>): number {
    if (command.kind === 'watch-messages') return command.after ?? 0;
    if (command.after === undefined) return this.events.length;
    return command.after.life === 1 ? command.after.number : 0;
  }
}
